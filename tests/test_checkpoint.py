"Stopped and resumed equals never stopped, bit for bit on a CPU: at every epoch, with all that remembers something, also when the process is killed."
import os, subprocess, sys
from functools import partial
import pandas as pd, pytest, torch
from digitclf.augment import augment_for
from digitclf.callbacks import EMA, CSVLog, EarlyStopping, GradientAccumulation, GradientClip, MixedPrecision, SaveBest
from digitclf.checkpoint import Checkpoint
from digitclf.blocks import ImageDataLoaders
from digitclf.learner import Learner, sgd
from digitclf.metrics import accuracy
from digitclf.mixing import CutMix, MixUp
from digitclf.models import DigitNet
from digitclf.recorder import Callback, CancelFit, ProgressCallback
from digitclf.sources import digits_sample
from digitclf.vision import vision_learner
from digitclf.weights import tensor_shapes
import digitclf.schedules # adds fit_one_cycle

class Cut(Exception): "The power is gone."

class PowerCut(Callback):
    watches = True
    order = -30 # before GradientAccumulation puts a step off
    def __init__(self, epoch, batch=2): self.at = epoch, batch
    def after_backward(self, learn):
        if (learn.epoch, learn.i) == self.at: raise Cut

@pytest.fixture(scope='module')
def dls():
    torch.set_num_threads(1)
    images, table = digits_sample()
    return ImageDataLoaders.from_arrays(images[:240], table[:240].drop(columns='role'), valid_pct=.2, bs=32, augment=augment_for('digits'), device='cpu')

def net(n_in, n_out): return DigitNet(n_in, n_out, (8, 16), (2, 2), drop=.3)

def quiet(learn):
    learn.cbs = [cb for cb in learn.cbs if not isinstance(cb, ProgressCallback)]
    return learn

def plain(dls, at, cbs=None, **kw): return quiet(Learner(dls, net, metrics=accuracy, path=at, **kw)), cbs or []
def vision(dls, at): return quiet(vision_learner(dls, 'digit_net_small', metrics=accuracy, path=at)), []
def warm(dls, at):
    learn, _ = plain(dls, at)
    learn.fit(2, 1e-3)
    return learn, []

def cycle(learn, cbs): learn.fit_one_cycle(4, 1e-2, cbs=cbs)

CASES = dict(
    one_cycle=(plain, cycle), constant=(plain, lambda l, cbs: l.fit(4, 1e-2, cbs=cbs)), restarts=(plain, lambda l, cbs: l.fit_sgdr(2, 1, 1e-2, cycle_mult=3, cbs=cbs)),
    momentum=(partial(plain, opt_func=partial(sgd, momentum=.9)), cycle), ema=(lambda dls, at: plain(dls, at, [EMA(.9)]), cycle),
    everything=(lambda dls, at: plain(dls, at, [MixUp(), EMA(.95), GradientClip(1.), GradientAccumulation(2), MixedPrecision(), SaveBest(), EarlyStopping()]), cycle),
    cutmix=(lambda dls, at: plain(dls, at, [CutMix(), EarlyStopping(patience=2), SaveBest()]), cycle), train_metrics=(partial(plain, train_metrics=True), cycle),
    rates_by_group=(vision, lambda l, cbs: l.fit_one_cycle(4, slice(1e-4, 1e-2), cbs=cbs)),
    precomputed=(vision, lambda l, cbs: l.precompute(2).fit_one_cycle(4, 1e-2, cbs=cbs)),
    fine_tune=(vision, lambda l, cbs: l.fine_tune(2, 1e-2, freeze_epochs=2, cbs=cbs)))

def state(learn): return {k: v.clone() for k, v in learn.model.state_dict().items()}

def same(a, b):
    for (k, v), w in zip(state(a).items(), state(b).values(), strict=True): assert torch.equal(v, w), k
    pd.testing.assert_frame_equal(a.history.drop(columns='time'), b.history.drop(columns='time'), check_exact=True)
    pd.testing.assert_frame_equal(a.recorder.steps, b.recorder.steps, check_exact=True)

@pytest.mark.parametrize('name', CASES)
def test_resumed_is_never_stopped(dls, tmp_path, name):
    make, fit = CASES[name]
    straight, cbs = make(dls, tmp_path/'straight')
    fit(straight, cbs)
    for epoch in range(4) if name in ('one_cycle', 'everything', 'fine_tune') else (2,):
        file, where = tmp_path/f'{epoch}.safetensors', tmp_path/f'cut{epoch}'
        learn, cbs = make(dls, where)
        with pytest.raises(Cut): fit(learn, [*cbs, Checkpoint(file), PowerCut(epoch)])
        resumed, cbs = make(dls, where)
        fit(resumed, [*cbs, Checkpoint(file, resume=True)])
        same(resumed, straight)

class Curious(Callback):
    "Looks at the validation images in the middle of training passes."
    watches = True
    def after_batch(self, learn):
        if learn.training and learn.i == 3: self.seen = learn.validate(), learn.get_preds().probs, learn.predict(learn.dls.valid.store[0]).probs

@pytest.mark.parametrize('name', CASES)
def test_a_look_in_the_middle_changes_nothing(dls, tmp_path, name):
    make, fit = CASES[name]
    straight, cbs = make(dls, tmp_path/'straight')
    fit(straight, cbs)
    asked, cbs = make(dls, tmp_path/'asked')
    fit(asked, [*cbs, look := Curious()])
    same(asked, straight)
    assert look.seen[0]['accuracy'] > 0 and len(look.seen[1]) == asked.dls.valid.n

def test_same_learner_goes_on(dls, tmp_path):
    "After an interrupt one may also call the same fit on the same learner, which holds half an epoch too many."
    straight, cut = plain(dls, tmp_path, [EMA(.9)]), plain(dls, tmp_path, [EMA(.9)])
    cycle(*straight)
    with pytest.raises(Cut): cycle(cut[0], [*cut[1], Checkpoint(tmp_path/'f.safetensors'), PowerCut(2)])
    cycle(cut[0], [*cut[1], Checkpoint(tmp_path/'f.safetensors', resume=True)])
    same(cut[0], straight[0])

def test_gradients_of_an_interrupted_step_are_forgotten(dls, tmp_path):
    learn, other = plain(dls, tmp_path)[0], plain(dls, tmp_path)[0]
    with pytest.raises(Cut): learn.fit(1, 1e-2, cbs=PowerCut(0, 0)) # no step was made
    learn.epoch = other.epoch
    learn.model.load_state_dict(plain(dls, tmp_path)[0].model.state_dict()) # batch normalisation had seen the batch
    for l in (learn, other): l.fit(1, 1e-2)
    for (k, v), w in zip(state(learn).items(), state(other).values()): assert torch.equal(v, w), k

def test_a_second_fit(dls, tmp_path):
    "A learner that trained before: the checkpoint of its second fit brings back both, into a new learner that trains twice, too."
    def twice(*cut):
        learn, _ = plain(dls, tmp_path)
        learn.fit(2, 1e-3, cbs=[Checkpoint(tmp_path/'f.safetensors', resume=True)])
        learn.fit_one_cycle(3, 1e-2, cbs=[Checkpoint(tmp_path/'f.safetensors', resume=True), *cut])
        return learn
    for epoch in (2, 4):
        with pytest.raises(Cut): twice(PowerCut(epoch))
    resumed = twice()
    (tmp_path/'f.safetensors').unlink()
    same(resumed, twice())
    assert len(resumed.history) == 5

def test_every(dls, tmp_path):
    file = tmp_path/'f.safetensors'
    learn, _ = plain(dls, tmp_path)
    with pytest.raises(Cut): learn.fit(9, 1e-2, cbs=[Checkpoint(file, every=3), PowerCut(5)])
    assert tensor_shapes(file)[1]['done'] == 3
    learn, _ = plain(dls, tmp_path)
    learn.fit(9, 1e-2, cbs=Checkpoint(file, every=4, resume=True))
    straight, _ = plain(dls, tmp_path)
    straight.fit(9, 1e-2)
    same(learn, straight)
    assert tensor_shapes(file)[1]['done'] == 9 and tensor_shapes(file)[1]['over']

def test_a_full_disk_keeps_the_last_one(dls, tmp_path, monkeypatch):
    file = tmp_path/'f.safetensors'
    def full(*a, **k): raise OSError(28, 'No space left on device')
    class Fill(Callback):
        order = -200
        def before_epoch(self, learn):
            if learn.epoch == 3: monkeypatch.setattr('os.replace', full)
    learn, _ = plain(dls, tmp_path)
    with pytest.raises(OSError, match='Nothing was left half written'): cycle(learn, [Checkpoint(file), Fill()])
    monkeypatch.undo()
    assert tensor_shapes(file)[1]['done'] == 2 and [p.name for p in tmp_path.iterdir()] == [file.name]

def test_an_error_after_an_epoch_is_no_end(dls, tmp_path):
    "What other callbacks do after an epoch failed, so the epoch will be done again."
    class Broken(Callback):
        watches, order = True, 95
        def after_epoch(self, learn):
            if learn.epoch == 2: raise Cut
    file = tmp_path/'f.safetensors'
    learn, cbs = plain(dls, tmp_path, [EarlyStopping()])
    with pytest.raises(Cut): cycle(learn, [*cbs, Checkpoint(file), Broken()])
    assert tensor_shapes(file)[1]['done'] == 2 and not tensor_shapes(file)[1]['over']
    resumed, cbs = plain(dls, tmp_path, [EarlyStopping()])
    cycle(resumed, [*cbs, Checkpoint(file, resume=True)])
    straight, cbs = plain(dls, tmp_path, [EarlyStopping()])
    cycle(straight, cbs)
    same(resumed, straight)

def test_a_retry_inside_an_except_block(dls, tmp_path):
    file = tmp_path/'f.safetensors'
    try: cycle(plain(dls, tmp_path)[0], [Checkpoint(file), PowerCut(2)])
    except Cut: cycle(plain(dls, tmp_path)[0], [Checkpoint(file, resume=True)])
    assert tensor_shapes(file)[1]['over']

def test_lr_find_leaves_it_out(dls, tmp_path):
    learn, _ = plain(dls, tmp_path, cbs=None)
    learn.cbs.append(Checkpoint(tmp_path/'f.safetensors'))
    learn.lr_find(show_plot=False)
    assert not [*tmp_path.iterdir()]

def test_the_log_goes_on(dls, tmp_path):
    file, log = tmp_path/'f.safetensors', tmp_path/'log.csv'
    with pytest.raises(Cut): cycle(plain(dls, tmp_path)[0], [Checkpoint(file), CSVLog(log), PowerCut(2)])
    learn, _ = plain(dls, tmp_path)
    cycle(learn, [Checkpoint(file, resume=True), CSVLog(log)])
    pd.testing.assert_frame_equal(pd.read_csv(log), learn.history)

KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
import torch
from test_checkpoint import *
images, table = digits_sample()
dls = ImageDataLoaders.from_arrays(images[:240], table[:240].drop(columns='role'), valid_pct=.2, bs=32, augment=augment_for('digits'), device='cpu')
torch.set_num_threads(1)
class Kill(Callback):
    watches = True
    def after_step(self, learn):
        if str(learn.epoch) == sys.argv[3]: os._exit(9)
learn, cbs = plain(dls, sys.argv[2], [EMA(.9), SaveBest()])
cycle(learn, [*cbs, Checkpoint(sys.argv[2] + '/run.safetensors', resume=True), Kill()])
torch.manual_seed(0)
learn.save('end')
"""

def test_a_killed_process(dls, tmp_path):
    from digitclf.weights import load_tensors
    straight, cbs = plain(dls, tmp_path/'straight', [EMA(.9), SaveBest()])
    cycle(straight, cbs)
    codes = [subprocess.run([sys.executable, '-c', KILLED, os.path.dirname(__file__), str(tmp_path), str(epoch)], env={**os.environ, 'OMP_NUM_THREADS': '1'}).returncode
             for epoch in (2, 'never')]
    assert codes == [9, 0]
    tensors = load_tensors(tmp_path/'models'/'end.safetensors')[0]
    for k, v in state(straight).items(): assert torch.equal(v, tensors[f'model.{k}']), k
