"The project's own order: notebooks and modules agree, notebooks are clean, README is fresh, imports are light."
import json, os, re, shutil, subprocess, sys
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
notebooks = sorted(p for p in (root/'nbs').glob('*.ipynb') if not p.name.startswith(('_', '.')))
bins = Path(sys.executable).parent

def python(code, **env):
    "Run code in a fresh interpreter; its output, or an assertion with its error."
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env={**os.environ, **env}, cwd=root/'tests')
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()

@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "A copy of what is versioned or would be, exported and cleaned."
    to = tmp_path_factory.mktemp('copy')/'digitclf'
    shutil.copytree(root, to, ignore=shutil.ignore_patterns('.git', '.venv', 'runs', 'build', 'dist', '_proc', '_docs*', '__pycache__', '.pytest_cache', '*.egg-info', '.ipynb_checkpoints'))
    for cmd in ('nbdev_export', 'nbdev_clean'):
        done = subprocess.run([str(bins/cmd)], cwd=to, capture_output=True, text=True)
        assert done.returncode == 0, f'{cmd}: {done.stderr}'
    return to

@pytest.mark.parametrize('folder,ending', [('digitclf', '.py'), ('nbs', '.ipynb')])
def test_export_and_clean_change_nothing(copy, folder, ending):
    names = lambda d: sorted(p.name for p in (d/folder).glob(f'*{ending}') if not p.name.startswith('.'))
    assert names(copy) == names(root)
    changed = [n for n in names(root) if (copy/folder/n).read_bytes() != (root/folder/n).read_bytes()]
    assert not changed, f'run nbdev_export and nbdev_clean, these would change: {changed}'

def test_every_module_has_a_notebook():
    mods = {m for p in notebooks for m in re.findall(r'#\| default_exp ([\w.]+)', p.read_text(encoding='utf-8'))}
    assert {p.stem for p in (root/'digitclf').glob('*.py')} - {'__init__', '_modidx'} == mods

def test_notebooks_import_only_lower_numbers():
    order = {}
    for p in notebooks:
        for m in re.findall(r'#\| default_exp ([\w.]+)', p.read_text(encoding='utf-8')): order[m] = p.name
    for m, name in order.items():
        used = re.findall(r'^from (?:digitclf)?\.(\w+) import', (root/'digitclf'/f'{m}.py').read_text(encoding='utf-8'), re.M)
        late = [u for u in used if u in order and order[u] >= name]
        assert not late, f'{name} imports {late}, which come later'

@pytest.mark.parametrize('path', notebooks, ids=lambda p: p.name)
def test_notebook_is_whole(path):
    nb = json.loads(path.read_text(encoding='utf-8'))
    code = [c for c in nb['cells'] if c['cell_type'] == 'code']
    assert path.stat().st_size < 500_000
    assert not [o for c in code for o in c['outputs'] if o['output_type'] == 'error'], 'a stored output is an error'
    long = [len(''.join(c['source']).splitlines()) for c in code if len(''.join(c['source']).splitlines()) > 30]
    assert not long, f'cells of {long} lines: none over 30'

def test_readme_is_made_from_index():
    done = subprocess.run([sys.executable, 'tools/make_readme.py', '--check'], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

LIGHT = """
import socket, sys
def no(*a, **k): raise OSError('the network is off in this test')
socket.socket.connect = no
socket.getaddrinfo = no
import digitclf
import importlib, pkgutil
for m in pkgutil.iter_modules(digitclf.__path__): importlib.import_module(f'digitclf.{m.name}')
heavy = [m for m in ('IPython', 'matplotlib', 'ipykernel', 'nbdev', 'tensorboard', 'torchvision', 'sklearn') if m in sys.modules]
assert not heavy, heavy
"""

def test_import_is_light():
    python(LIGHT)

TRAIN = """
import fastcore
from digitclf.all import *
images, table = digits_sample()
dls = ImageDataLoaders.from_arrays(images, table, valid_pct=.2, device='cpu')
learn = Learner(dls, 'mlp', metrics=accuracy)
with learn.no_bar(): learn.fit_one_cycle(2, .03)
assert learn.validate()['accuracy'] > .8
print(fastcore.__version__)
"""

@pytest.mark.parametrize('which,version', [('oldest', '1.12.'), ('newest', '2.')])
def test_works_with_fastcore(which, version):
    folder = root/'.venv'/f'fastcore-{which}'
    if not folder.is_dir(): pytest.skip(f'{folder} is not there: `make setup` brings it')
    assert python(TRAIN, PYTHONPATH=str(folder)).startswith(version)

def test_a_relative_folder_is_found(tmp_path, monkeypatch):
    from PIL import Image
    from digitclf.labels import get_image_files
    (tmp_path/'train'/'3').mkdir(parents=True)
    Image.new('L', (4, 4)).save(tmp_path/'train'/'3'/'a.png')
    monkeypatch.chdir(tmp_path)
    assert [str(p) for p in get_image_files('.')] == [os.path.join('train', '3', 'a.png')]

@pytest.mark.parametrize('path', notebooks, ids=lambda p: p.name)
def test_notebook_begins_with_title_and_promise(path):
    first = ''.join(json.loads(path.read_text(encoding='utf-8'))['cells'][0]['source'])
    assert re.fullmatch(r'# [^\n]+\n\n> [^\n]+', first), 'nbdev makes front matter of the first cell and drops the rest of it'
