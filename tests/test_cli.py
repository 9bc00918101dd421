"The commands as a user runs them: as programs, in a folder of their own, on scikit-learn's digits."
import os, re, signal, subprocess, sys, threading
from pathlib import Path
import pandas as pd, pytest
from PIL import Image
from digitclf.models import create_model
from digitclf.predictor import Predictor, write_bundle
from digitclf.sources import digits_sample

bins = Path(sys.executable).parent
FILES = {'model.safetensors', 'report.html', 'history.csv', 'predictions.csv', 'per_class.csv', 'most_confused.csv',
         'losses.png', 'learning_rate.png', 'confusion.png', 'top_losses.png'}

def env(home): return {**os.environ, 'DIGITCLF_HOME': str(home), 'OMP_NUM_THREADS': '1', 'MPLCONFIGDIR': str(home/'mpl')}

def run(cmd, *switches, cwd):
    "Run a command; what it printed and its exit code."
    return subprocess.run([str(bins/cmd), *map(str, switches)], cwd=cwd, env=env(cwd/'home'), capture_output=True, text=True, timeout=120)

def contents(folder): return {p.name: p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    "A folder in which a training was run, and what it printed."
    at = tmp_path_factory.mktemp('trained')
    done = run('digitclf_train', '--data', 'digits', '--epochs', '3', '--threads', '1', '--out', 'run', cwd=at)
    assert done.returncode == 0, done.stderr
    return at, done.stdout

def test_train_writes_a_run_folder(trained):
    at, said = trained
    assert {p.name for p in (at/'run').iterdir()} == FILES
    assert re.search(r'^ +2 +0\.\d{4}', said, re.M), 'no line for the third epoch'
    assert re.search(r'test accuracy \d+\.\d+ %: \d+ errors of 360 images', said)
    assert re.search(r's of training, \d+\.\d s from start to end', said) and 'report: run/report.html' in said
    assert len(pd.read_csv(at/'run'/'history.csv')) == 3 and len(pd.read_csv(at/'run'/'predictions.csv')) == 360

def test_report_stands_alone(trained):
    page = (trained[0]/'run'/'report.html').read_text(encoding='utf-8')
    assert not re.search(r'''(?:src|href|action)\s*=\s*["']?\s*(?:https?:)?//|url\(|@import|<script''', page, re.I)
    assert 'looked at once' in page and 'stand-in' in page and 'digitclf_train --data digits' in page

def test_predict_equals_the_run(trained, tmp_path):
    "PNG files of the test images get the predictions that the report's table has."
    images, table = digits_sample()
    test = (table.role == 'test').to_numpy()
    for name, im in zip(table.id[test], images[test]): Image.fromarray(im).save(tmp_path/f"{name.replace('/', '_')}.png")
    (tmp_path/'broken.png').write_bytes(b'\x89PNG')
    done = run('digitclf_predict', trained[0]/'run'/'model.safetensors', tmp_path, '--out', 'got.csv', '--top', '2', '--threads', '1', cwd=tmp_path)
    assert done.returncode == 1 and 'broken.png' in done.stderr and 'Traceback' not in done.stderr
    got, want = pd.read_csv(tmp_path/'got.csv'), pd.read_csv(trained[0]/'run'/'predictions.csv')
    assert len(got) == 361 and got.error.notna().sum() == 1
    got = got[got.error.isna()]
    assert [Path(i).stem for i in got.id] == [i.replace('/', '_') for i in want.id]
    assert got.prediction.astype(int).tolist() == want.prediction.tolist()
    assert abs(got.probability.to_numpy() - want.probability.to_numpy()).max() < 1e-5
    assert (got.probability_2 <= got.probability).all()

def test_predict_several_labels(tmp_path):
    "The labels that the file's thresholds pick, on the screen and in the CSV; more than eight columns of probabilities only there."
    images, files = digits_sample()[0][:3], ['0.png', '1.png', '2.png']
    for f, im in zip(files, images): Image.fromarray(im).save(tmp_path/f)
    for n, out in (3, []), (12, []), (12, ['--out', 'got.csv']):
        names = [f'tag{j}' for j in range(n)]
        path = write_bundle(tmp_path/'tags.safetensors', create_model('linear', 1, n, size=8, seed=0), names, (8, 8), [.3], [.3], multi=True,
                            thresholds=[.5]*(n-1) + [0.], temperature=2.)
        said = [' '.join(Predictor(path, 'cpu').predict(im).label) for im in images]
        assert all(s.endswith(names[-1]) for s in said) and len(set(said)) > 1
        done = run('digitclf_predict', path, *files, *out, '--threads', '1', cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        if out: continue
        assert all(s in done.stdout for s in said) and ('p(tag0)' in done.stdout) == (n == 3)
    got = pd.read_csv(tmp_path/'got.csv')
    assert got.prediction.tolist() == said and [c for c in got if c.startswith('p(')] == [f'p({v})' for v in names]

@pytest.mark.parametrize('cmd', ['digitclf_train', 'digitclf_predict'])
def test_help(cmd, tmp_path):
    done = run(cmd, '--help', cwd=tmp_path)
    assert done.returncode == 0 and 'examples:' in done.stdout and not done.stderr

@pytest.mark.parametrize('cmd,switches,words', [
    ('digitclf_train', ['--data', 'nowhere'], 'no such folder or file'),
    ('digitclf_train', ['--data', 'digits', '--out', 'taken'], 'is a file'),
    ('digitclf_train', ['--data', 'digits', '--epochs', '-1'], 'a whole number from 1'),
    ('digitclf_predict', ['nowhere.safetensors', 'taken'], 'no such file'),
    ('digitclf_predict', ['taken', 'taken'], 'no safetensors file')])
def test_mistakes_are_one_line(cmd, switches, words, tmp_path):
    (tmp_path/'taken').write_text('mine')
    done = run(cmd, *switches, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr and 'Traceback' not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert contents(tmp_path) == {'taken': b'mine'}

def test_no_network(tmp_path):
    "MNIST where no mirror answers: the message says what to do, and nothing is left behind."
    code = ("import socket, sys\n"
            "def no(*a, **k): raise OSError('the network is off in this test')\n"
            "socket.socket.connect = no; socket.getaddrinfo = no\n"
            "from digitclf.cli import train_main; sys.exit(train_main(['--data', 'mnist']))")
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env={**env(tmp_path/'home'), 'PATH': ''}, capture_output=True, text=True)
    assert done.returncode == 2 and 'By hand' in done.stderr and '--data digits' in done.stderr and 'Traceback' not in done.stderr
    assert not (tmp_path/'runs'/'mnist').exists() and not contents(tmp_path/'home')

@pytest.mark.skipif(os.name == 'nt', reason='no SIGINT to a child on Windows')
def test_ctrl_c_leaves_an_earlier_run_whole(trained, tmp_path):
    at = trained[0]
    before = contents(at/'run')
    child = subprocess.Popen([str(bins/'digitclf_train'), '--data', 'digits', '--epochs', '2000', '--threads', '1', '--out', 'run'], cwd=at,
                             env=env(at/'home'), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) # a shell's background jobs ignore it
    late = threading.Timer(60, child.kill)
    late.start()
    try:
        for line in child.stdout:
            if re.match(r' +1 +\d', line): break
        child.send_signal(signal.SIGINT)
        _, err = child.communicate()
    finally: late.cancel(); child.kill()
    assert child.returncode == 130 and 'stopped' in err and 'Traceback' not in err
    assert contents(at/'run') == before
