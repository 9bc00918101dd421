"A tuned decision and a temperature: one answer wherever the model is asked, in memory, in files and after training was cut off."
import numpy as np, pandas as pd, pytest, torch
from functools import partial
from digitclf.blocks import ImageDataLoaders
from digitclf.bundle import load_learner
from digitclf.checkpoint import Checkpoint
from digitclf.learner import Learner
from digitclf.multilabel import f1_multi, fbeta_multi
from digitclf.predictor import Predictor
from digitclf.recorder import Callback
from digitclf.sources import digits_sample
from digitclf.submission import submission_table
from digitclf.tensorboard_log import sample_figure
from digitclf.thresholds import tune_thresholds
from digitclf.vision import vision_learner
import digitclf.tuning # adds calibrate and tune_thresholds

f2 = partial(fbeta_multi, beta=2., average='samples')
FBETA = dict(kind='fbeta', beta=2., zero_division=1.)

@pytest.fixture(scope='module')
def dls():
    torch.set_num_threads(1)
    images, table = digits_sample()
    digit = table.label.astype(int).to_numpy()[:600]
    names = dict(odd=digit % 2 == 1, large=digit > 4, small=digit < 2, square=np.isin(digit, [4, 9]))
    table = pd.DataFrame(dict(id=table.id[:600], label=[[k for k, v in names.items() if v[i]] for i in range(600)],
                              role=['train']*300 + ['valid']*200 + ['test']*100, group=[f'g{i//4}' for i in range(600)]))
    return ImageDataLoaders.from_arrays(images[:600], table, vocab=list(names), allow_empty=True, device='cpu')

def trained(dls, make=Learner, model='digit_net_small', **kw):
    learn = make(dls, model, **kw)
    with learn.no_bar(): learn.fit(2, 1e-2)
    return learn

@pytest.fixture(scope='module')
def learn(dls): return trained(dls)

@pytest.fixture(params=['one', 'each', 'fbeta', 'half'])
def tuned(request, learn):
    "The same learner under every kind of decision, calibrated."
    learn.decision = learn.temperature = None
    if request.param in ('one', 'each'): learn.tune_thresholds(f1_multi, per_label=request.param == 'each')
    if request.param == 'fbeta': learn.decision = FBETA
    learn.calibrate()
    return learn

def test_one_answer_everywhere(tuned, tmp_path):
    preds = tuned.get_preds('test')
    want, items = preds.df().prediction.tolist(), [preds.images[torch.tensor([i])][0] for i in range(len(preds))]
    file = tuned.export(tmp_path/'model.safetensors')
    pred, back = Predictor(file, 'cpu'), load_learner(file, device='cpu')
    for say in tuned.predict, pred.predict, back.predict: assert [' '.join(say(o).label) for o in items] == want
    assert pred.predict_many(items, bs=7).prediction.tolist() == want
    assert submission_table(preds).Label.tolist() == want
    assert back.get_preds(dl=tuned.dls.test).df().prediction.tolist() == want
    assert load_learner(file, tuned.dls).get_preds('test').df().equals(preds.df())

def test_pictures_show_what_is_decided(tuned):
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    some = torch.linspace(0, 99, 16).round().long()
    preds = tuned.get_preds('test').subset(some)
    want = tuned.dls.result_titles(preds.targs, preds.bits())[0]
    tuned.show_results('test', n=16)
    for fig in plt.gcf(), sample_figure(tuned, 'test', 16): assert [ax.get_title() for ax in fig.axes][:16] == want
    plt.close('all')

def test_weights_keep_it(tuned, tmp_path):
    tuned.path = tmp_path
    tuned.save('tuned')
    other = Learner(tuned.dls, 'digit_net_small', path=tmp_path).load('tuned')
    assert (other.decision, other.temperature) == (tuned.decision, tuned.temperature)
    assert other.get_preds('test').df().equals(tuned.get_preds('test').df())

@pytest.mark.parametrize('first', [.03, .97, [.1, .5, .9, .02]])
def test_calibrating_keeps_the_labels(learn, first):
    learn.decision, learn.temperature = first, None
    before = learn.get_preds('test').bits()
    for T in None, .5, 4.: # from whatever temperature it starts, it ends at the same
        learn.temperature, learn.decision = None, first
        if T is not None: learn.temperature, learn.decision = T, digitclf.tuning.scale_decision(first, T)
        learn.calibrate()
        ends = (learn.temperature, learn.decision)
        if T is None: want = ends
        assert ends[0] == want[0] and np.allclose(ends[1], want[1], atol=1e-4)
        assert (learn.get_preds('test').bits() != before).float().mean() < .003 # rounding, where a probability lies on the threshold

def test_precomputed_features(dls):
    learn = trained(dls, vision_learner, precompute=True)
    assert learn.precomputed and [learn.get_preds(r).seen for r in ('train', 'valid', 'test')] == [True, False, False]
    assert [learn.get_preds(dl=dl).seen for dl in (dls.train, dls.valid, learn.dls.train, learn.dls.valid)] == [True, False, True, False]
    got = learn.tune_thresholds(f2, per_label=True)
    groups = dls.table.group[dls.table.role == 'valid'].tolist()
    assert got.fold_decisions == tune_thresholds(learn.get_preds(), f2, per_label=True, groups=groups).fold_decisions
    learn.calibrate()
    before = learn.get_preds('test')
    assert torch.allclose(learn.from_images().get_preds('test').probs, before.probs, atol=1e-5)

def test_a_checkpoint_keeps_it(dls, tmp_path):
    class Cut(Callback):
        watches = True
        def after_step(self, learn):
            if learn.epoch == 3: raise InterruptedError
    def go(learn, *cbs):
        with learn.no_bar(): learn.fit(3, 1e-3, cbs=[Checkpoint(tmp_path/'run.safetensors', resume=True), *cbs])
    cut = trained(dls)
    cut.decision, cut.temperature = FBETA, 1.25
    with pytest.raises(InterruptedError): go(cut, Cut())
    again = trained(dls)
    go(again)
    assert (again.decision, again.temperature) == (FBETA, 1.25) and again.epoch == 5

def test_more_training_makes_old_measurements_stale(dls, tmp_path):
    from digitclf.predictor import bundle_header
    learn = trained(dls)
    learn.calibrate()
    metrics = lambda: bundle_header(learn.export(tmp_path/'m.safetensors'))['metrics']
    assert {'ece', 'brier'} <= set(metrics())
    learn.temperature = 1.
    assert not {'ece', 'brier'} & set(metrics())
    learn.calibrate()
    with learn.no_bar(): learn.fit(1, 1e-3)
    assert not {'ece', 'brier'} & set(metrics()) and learn.temperature is not None
