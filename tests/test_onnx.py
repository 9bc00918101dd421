"ONNX files: the net's own answers on real digits and characters, one file, nothing half written, nothing of this machine in it."
import json, os, subprocess, sys
from pathlib import Path
import numpy as np, pytest, torch
from digitclf.blocks import ImageDataLoaders
from digitclf.learner import Learner
from digitclf.models import create_model
from digitclf.onnx import OnnxPredictor, check_onnx, export_onnx
from digitclf.predictor import Predictor, write_bundle
from digitclf.sources import SOURCES, data_home, mnist
from digitclf.strokes import CHINESE_NUMERALS, draw_character, writer_hand
import digitclf.bundle # adds export

onnx = pytest.importorskip('onnx', reason="pip install 'digitclf[onnx]' brings it")
pytest.importorskip('onnxscript', reason="pip install 'digitclf[onnx]' brings it")
ort = pytest.importorskip('onnxruntime', reason="pip install 'digitclf[onnx]' brings it")

def cached_mnist():
    "Is the real set there? Asked without fetching anything."
    home = Path(os.environ.get('DIGITCLF_HOME') or data_home())
    return all((home/'mnist'/f.name).is_file() for f in SOURCES['mnist'].files)

@pytest.fixture(scope='module')
def small(tmp_path_factory):
    "An untrained net's bundle and its ONNX file."
    at = tmp_path_factory.mktemp('small')
    bundle = write_bundle(at/'net.safetensors', create_model('digit_net_small', 1, 3, seed=0), list('abc'), (12, 10), [.2], [.4], temperature=1.7)
    return bundle, export_onnx(bundle, at/'net.onnx')

@pytest.mark.skipif(not cached_mnist(), reason='MNIST is not in the cache, and tests fetch nothing')
def test_real_mnist(tmp_path):
    "A net trained on real digits for a moment: the file says the same of every one of 2000 test digits, from 1 at a time to 500."
    images, table = mnist()
    rows = np.r_[:3000, 60_000:62_000]
    dls = ImageDataLoaders.from_arrays(images[rows], table.iloc[rows].reset_index(drop=True), bs=100, device='cpu')
    learn = Learner(dls, 'digit_net')
    with learn.no_bar(): learn.fit(1, 1e-2)
    pred, test = Predictor(learn.export(tmp_path/'net.safetensors'), 'cpu'), images[60_000:62_000]
    path = export_onnx(learn, tmp_path/'net.onnx')
    assert check_onnx(path, pred, test) < 1e-4
    net = OnnxPredictor(path)
    assert net.predict_many(test, bs=500).prediction.tolist() == pred.predict_many(test, bs=64).prediction.tolist()
    assert all(net.predict(im).label == pred.predict(im).label for im in test[:50])
    assert (net.predict_many(test).prediction == table.label[60_000:62_000].to_numpy()).mean() > .5 # it has learned something, so the probabilities are not all alike

def test_characters_with_a_window(tmp_path):
    "Fifteen outputs, 64×64, a window around the ink that is found for each picture, with one label and with several."
    pics = np.concatenate([draw_character(c, writer_hand(w), 2) for c in CHINESE_NUMERALS for w in (1, 2)])
    for multi in False, True:
        net = create_model('digit_net', 1, 15, seed=3, window=40, widths=(8, 16, 24), strides=(2, 2, 2), grid=5)
        for layer in net.modules(): # an untrained net says the same of everything
            if isinstance(layer, torch.nn.Linear): layer.weight.data *= 20
        bundle = write_bundle(tmp_path/f'{multi}.safetensors', net, CHINESE_NUMERALS, (64, 64), [.02], [.1], multi=multi, thresholds=.4 if multi else None)
        path = export_onnx(bundle, tmp_path/f'{multi}.onnx')
        ours, theirs = Predictor(bundle, 'cpu'), OnnxPredictor(path)
        assert ours.predict_many(pics).prediction.nunique() > 3
        assert check_onnx(path, bundle, pics) < 1e-4
        assert [theirs.predict(p).label for p in pics] == [ours.predict(p).label for p in pics]

def test_what_the_file_says(small):
    bundle, path = small
    s = ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    assert [(o.name, o.shape) for o in s.get_inputs()] == [('images', ['batch', 1, 12, 10])]
    assert [(o.name, o.shape) for o in s.get_outputs()] == [('probs', ['batch', 3])]
    said = json.loads(s.get_modelmeta().custom_metadata_map['digitclf'])
    assert said['vocab'] == list('abc') and said['prep']['size'] == [12, 10] and said['temperature'] == 1.7 and said['multi'] is False
    for n in (1, 2, 9):
        probs = s.run(None, dict(images=np.random.default_rng(n).random((n, 1, 12, 10), np.float32)))[0]
        assert probs.shape == (n, 3) and abs(probs.sum(1) - 1).max() < 1e-5

def test_one_file_without_this_machine(small):
    path = small[1]
    assert [p.name for p in path.parent.iterdir()] in (['net.safetensors', 'net.onnx'], ['net.onnx', 'net.safetensors'])
    data = path.read_bytes()
    assert not [w for w in (str(Path.home()), str(Path(sys.prefix)), 'site-packages', '.py') if w.encode() in data]
    assert all(not i.external_data for i in onnx.load(path, load_external_data=False).graph.initializer)

def test_same_bundle_same_bytes(small, tmp_path):
    bundle, path = small
    code = f"from digitclf.onnx import export_onnx; export_onnx({str(bundle)!r}, {str(tmp_path/'again.onnx')!r})"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done.stderr
    assert (tmp_path/'again.onnx').read_bytes() == path.read_bytes()

def test_a_taken_name_is_left_alone(small, tmp_path):
    taken = tmp_path/'mine.onnx'
    taken.write_text('mine')
    with pytest.raises(FileExistsError, match='replace=True'): export_onnx(small[0], taken)
    assert taken.read_text() == 'mine'
    assert export_onnx(small[0], taken, replace=True).read_bytes() == small[1].read_bytes()

@pytest.mark.skipif(os.name == 'nt' or not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='everything is writable for root')
def test_a_folder_that_can_not_be_written(small, tmp_path):
    (tmp_path/'closed').mkdir(mode=0o500)
    with pytest.raises(OSError, match='could not be written'): export_onnx(small[0], tmp_path/'closed'/'x.onnx')

def test_disk_full_leaves_nothing(small, tmp_path, monkeypatch):
    def full(*a, **k): raise OSError(28, 'No space left on device')
    monkeypatch.setattr('digitclf.weights.os.replace', full)
    with pytest.raises(OSError, match='No space left.*half written'): export_onnx(small[0], tmp_path/'x.onnx')
    assert not list(tmp_path.iterdir())

def test_a_graph_that_says_something_else_is_not_written(small, tmp_path, monkeypatch):
    import digitclf.onnx as module
    was = module._Whole.forward
    monkeypatch.setattr(module._Whole, 'forward', lambda self, images: was(self, images*.5))
    with pytest.raises(ValueError, match='is not the net: their probabilities differ'): export_onnx(small[0], tmp_path/'x.onnx')
    assert not list(tmp_path.iterdir())

@pytest.mark.parametrize('lost', ['onnx', 'onnxscript', 'onnxruntime'])
def test_without_the_extra(small, tmp_path, monkeypatch, lost):
    monkeypatch.setitem(sys.modules, lost, None)
    with pytest.raises(ImportError, match=rf"needs {lost}: pip install 'digitclf\[onnx\]'"): export_onnx(small[0], tmp_path/'x.onnx')
    assert not list(tmp_path.iterdir())

def test_importing_needs_none_of_them():
    code = "import sys, digitclf.onnx; print([m for m in ('onnx', 'onnxscript', 'onnxruntime') if m in sys.modules])"
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip() == '[]'

@pytest.mark.parametrize('shape', [(2, 1, 10, 12), (2, 3, 12, 10), (1, 12, 10)])
def test_wrong_shapes(small, shape):
    with pytest.raises(ValueError, match=r'takes pictures \[C,H,W\] = \[1, 12, 10\]'): OnnxPredictor(small[1]).probs(torch.zeros(shape, dtype=torch.uint8))

def test_other_files(small, tmp_path):
    data = small[1].read_bytes()
    for bad in (b'', b'text', data[:-200], data[:50], small[0].read_bytes()):
        (tmp_path/'bad.onnx').write_bytes(bad)
        with pytest.raises(ValueError, match='is damaged, or no ONNX file|is an ONNX file, but'): OnnxPredictor(tmp_path/'bad.onnx')
