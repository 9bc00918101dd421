"""Which recipe for the default net: `make recipe`. Each candidate trains on 50 000 of MNIST's training images and is scored on the other
10 000, final epoch, for three seeds; the test images are not read. Results go to bench/recipe.json as they come, and a candidate that is
there already is not trained again.
"""
import json
from pathlib import Path
import torch
import digitclf.schedules # adds fit_one_cycle
from digitclf.augment import augment_for
from digitclf.cli import DEFAULTS
from digitclf.blocks import ImageDataLoaders
from digitclf.learner import Learner
from digitclf.losses import CrossEntropyLoss
from digitclf.metrics import accuracy
from digitclf.sources import mnist
from digitclf.splits import StratifiedSplitter
from digitclf.weights import whole_file

out, seeds = Path(__file__).resolve().parent/'recipe.json', (42, 43, 44)
AUGMENT = {'none': None, 'half': augment_for('digits', rotate=5., zoom=(.95, 1.05), shift=.04, shear=4.), 'digits': augment_for('digits'),
           'double': augment_for('digits', rotate=20., zoom=(.8, 1.2), shift=.16, shear=16.)}
BASE = dict(lr=DEFAULTS['lr'], augment=DEFAULTS['augment'], smoothing=DEFAULTS['smoothing'])
CANDIDATES = [BASE] + [BASE | o for o in (dict(lr=.005), dict(lr=.02), dict(augment='none'), dict(augment='half'), dict(augment='double'),
                                         dict(smoothing=.1))]

def train(recipe, seed, images, table):
    "Validation errors after the last epoch."
    dls = ImageDataLoaders.from_arrays(images, table, splitter=StratifiedSplitter(1/6, seed=42), augment=AUGMENT[recipe['augment']],
                                       bs=DEFAULTS['bs'], seed=seed, device='cpu')
    learn = Learner(dls, DEFAULTS['arch'], CrossEntropyLoss(recipe['smoothing']), metrics=accuracy, lr=recipe['lr'], wd=DEFAULTS['wd'], seed=seed)
    with learn.no_bar(): learn.fit_one_cycle(DEFAULTS['epochs'])
    return round((1 - learn.history.accuracy.iloc[-1])*dls.valid.n)

def store(rows):
    res = dict(torch=torch.__version__.split('+')[0], net=DEFAULTS['arch'], epochs=DEFAULTS['epochs'], bs=DEFAULTS['bs'], train=50_000,
               valid=10_000, runs=rows)
    with whole_file(out) as scratch: scratch.write_text(json.dumps(res, indent=1) + '\n')

if __name__ == '__main__':
    images, table = mnist()
    images, table = images[:60_000], table[:60_000].drop(columns='role')
    rows = json.loads(out.read_text())['runs'] if out.exists() else []
    for seed in seeds:
        for recipe in CANDIDATES:
            if any(r | dict(valid_errors=0) == recipe | dict(seed=seed, valid_errors=0) for r in rows): continue
            rows.append(recipe | dict(seed=seed, valid_errors=train(recipe, seed, images, table)))
            print(rows[-1], flush=True)
            store(rows)
