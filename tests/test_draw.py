"The page Draw: its script's arithmetic is the notebook's, number by number, its cards have what the script looks for, its nets come whole or not at all."
import base64, json, os, re, shutil, subprocess, sys
from pathlib import Path
import numpy as np, pytest
from digitclf.draw import PLACING, centre, ink, prepare, sample_strokes
from digitclf.sources import SOURCES, data_home, digits_sample, mnist

nbs = Path(__file__).resolve().parent.parent/'nbs'
node = shutil.which('node')
needs_node = pytest.mark.skipif(node is None, reason='node is not installed, which runs draw.js here')

def in_node(expression, data):
    "What an expression over draw.js's functions and `data` gives."
    script = base64.b64encode((nbs/'draw'/'draw.js').read_bytes()).decode() # as data: older nodes take a .js file for no module
    code = f"import * as d from 'data:text/javascript;base64,{script}'; import {{readFileSync}} from 'fs';\n" \
           f"const data = JSON.parse(readFileSync(0)); process.stdout.write(JSON.stringify({expression}))"
    done = subprocess.run([node, '--input-type=module', '-e', code], input=json.dumps(data), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

def as_list(strokes): return [np.asarray(s).tolist() for s in strokes]
def js(pic): return dict(w=pic.shape[1], h=pic.shape[0], data=pic.flatten().tolist())
def same(ours, theirs): # pictures in 0..1; both count in double precision
    assert [(p['h'], p['w']) for p in theirs] == [p.shape for p in ours]
    assert max(abs(a.flatten() - np.array(list(b['data'].values()) if isinstance(b['data'], dict) else b['data'])).max() for a, b in zip(ours, theirs)) < 1e-9

OUT = '.map(p => ({...p, data: [...p.data]}))'

def wild(n, seed=0):
    "Drawings nobody would make: few points or many, tiny, thin, off the pad, points that come twice."
    rng = np.random.default_rng(seed)
    for i in range(n):
        size, at = rng.choice([.02, .05, .3, 1., 1.5], 2), rng.uniform(-.3, 1, 2)
        strokes = [rng.random((rng.integers(1, 12), 2))*size + at for _ in range(rng.integers(1, 5))]
        yield [np.repeat(s, 2, 0) if i % 3 == 0 else s for s in strokes]

@needs_node
@pytest.mark.parametrize('kind', list(PLACING))
def test_script_prepares_as_the_notebook(kind):
    drawings = [*sample_strokes(kind).values(), *wild(60), [[[.5, .5]]], []]
    same([prepare(s, **PLACING[kind]) for s in drawings],
         in_node(f'data[0].map(s => d.prepare(s, data[1])){OUT}', [[as_list(s) for s in drawings], PLACING[kind]]))

@needs_node
def test_script_inks_as_the_notebook():
    drawings = [*sample_strokes('digits').values(), *wild(30, 1)]
    same([ink(s, .2, 37) for s in drawings], in_node(f'data.map(s => d.ink(s, .2, 37)){OUT}', [as_list(s) for s in drawings]))

@needs_node
def test_script_centres_as_the_notebook():
    "Real digits anywhere on pages of many sizes, one pixel, an even grey, nothing."
    rng = np.random.default_rng(0)
    pics = [np.pad(im/255, rng.integers(0, 40, (2, 2))) for im in digits_sample()[0][:60]]
    pics += [np.pad(rng.random((h, w)), 3) for h, w in ((1, 1), (1, 30), (90, 2), (20, 20), (21, 19))] + [np.ones((7, 9)), np.zeros((5, 4))]
    for box, side in (20, 28), (26, 64), (28, 28), (1, 5):
        same([centre(p, box, side) for p in pics], in_node(f'data[0].map(p => d.centre(p, data[1], data[2])){OUT}', [[js(p) for p in pics], box, side]))

@pytest.mark.skipif(not all((Path(os.environ.get('DIGITCLF_HOME') or data_home())/'mnist'/f.name).is_file() for f in SOURCES['mnist'].files),
                    reason='MNIST is not in the cache, and tests fetch nothing')
def test_mnist_is_as_the_page_says():
    "20 pixels, and the centre of mass below and right of the middle; so centring changes nothing in MNIST itself."
    pics = mnist()[0][:3000].astype(float)
    sides = [max(np.ptp(np.flatnonzero(p.any(d))) + 1 for d in (0, 1)) for p in pics]
    assert sides.count(20) == 2999
    for d in 1, 2:
        middle = (pics.sum(3 - d)*(np.arange(28) + .5)).sum(1)/pics.sum((1, 2))
        assert ((middle >= 14) & (middle < 15)).all()
    full = [p for p, n in zip(pics[:300], sides) if n == 20 and (p > .1*p.max()).any(0).sum() == p.any(0).sum() and (p > .1*p.max()).any(1).sum() == p.any(1).sum()]
    assert len(full) > 100 and all(abs(centre(p) - p).max() < 1e-9 for p in full)

def test_size_and_place_do_not_matter():
    for kind, placing in PLACING.items():
        for label, strokes in sample_strokes(kind).items():
            want = prepare(strokes, **placing)
            for k, dx, dy in (.5, 0, 0), (.3, .7, .1), (.9, .05, .1):
                assert abs(prepare([s*k + [dx, dy] for s in strokes], **placing) - want).max() < 1e-6, label

def test_cards_have_what_the_script_looks_for():
    html = ''.join(''.join(o.get('data', {}).get('text/html', '')) for c in json.loads((nbs/'draw.ipynb').read_text(encoding='utf-8'))['cells'] for o in c.get('outputs', []))
    script = (nbs/'draw'/'draw.js').read_text(encoding='utf-8')
    cards = re.findall(r'<section class="draw-card" data-draw="(\w+)"', html)
    assert cards == list(PLACING)
    for name in set(re.findall(r"one\('\.([\w-]+)'\)", script)): assert html.count(f'class="{name}"') == 2, name
    assert set(re.findall(r'data-do="(\w+)"', html)) == {'clear', 'undo', 'demo'} and all(re.search(rf'^  (async )?{n}\(', script, re.M) for n in ('clear', 'undo', 'demo'))
    assert html.count('make docs') == 2 and html.count('src="draw/draw.js"') == 2
    assert not re.search(r'https?://', html + script + (nbs/'draw'/'draw.css').read_text(encoding='utf-8')), 'something would be fetched from elsewhere'

# ---- tools/live.py, without a network ----

def live(tmp_path, npm):
    "Run the tool where `npm` is this shell script, or isn't there; the folder it was to fill holds something of its own."
    if npm is not None:
        (tmp_path/'npm').write_text(f'#!/bin/sh\n{npm}\n')
        (tmp_path/'npm').chmod(0o755)
    out = tmp_path/'live'
    out.mkdir()
    (out/'mine.txt').write_text('mine')
    done = subprocess.run([sys.executable, str(nbs.parent/'tools'/'live.py'), str(out)], env={**os.environ, 'PATH': f'{tmp_path}', 'DIGITCLF_HOME': str(tmp_path/'home')},
                          capture_output=True, text=True)
    assert [p.name for p in out.iterdir()] == ['mine.txt'] and 'Traceback' not in done.stderr
    return done.returncode, done.stderr

@pytest.mark.skipif(os.name == 'nt', reason='the stand-in for npm is a shell script')
@pytest.mark.parametrize('npm,why', [(None, 'not on PATH'), ('echo "npm error network is down" >&2; exit 1', 'could not fetch onnxruntime-web.*network is down'),
                                     ('echo something else > onnxruntime-web.tgz', 'not the package we know')], ids=['none', 'offline', 'another'])
def test_live_without_its_runtime(tmp_path, npm, why):
    code, said = live(tmp_path, npm)
    assert code == 1 and re.search(why, said) and 'Nothing was written' in said
