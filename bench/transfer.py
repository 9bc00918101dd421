"""Does a body that knows digits read Chinese sooner? `make transfer`. Results go to bench/transfer.json.

A ResNet-18 learns MNIST's 60 000 training digits once and its body is kept as safetensors (`--body FILE` takes one that is there). Then three nets
learn the 15 characters from four writers, 600 pictures of 64 pixels, in equal epochs: the digits' body frozen under a new head; the same with
everything learning; everything from random numbers. Scored once, after the last epoch, on 1 500 pictures of ten other writers, for three seeds.
`--chinese PATH` names the archive of Chinese MNIST; without it the cache, Kaggle or the stand-in serves, and the result says which.
"""
import argparse, json, os, tempfile
from pathlib import Path
import torch
import digitclf.schedules # adds fit_one_cycle
from digitclf.augment import augment_for
from digitclf.blocks import ImageDataLoaders
from digitclf.chinese import chinese_mnist
from digitclf.metrics import accuracy
from digitclf.sources import mnist
from digitclf.splits import ColSplitter
from digitclf.strokes import CHINESE_NUMERALS
from digitclf.vision import vision_learner
from digitclf.weights import save_tensors, whole_file

out, EPOCHS, SEEDS = Path(__file__).resolve().parent/'transfer.json', 6, (42, 43, 44)

def digits_body(path):
    "A ResNet-18's body after four epochs of MNIST, as safetensors."
    images, table = mnist()
    dls = ImageDataLoaders.from_arrays(images[:60_000], table[:60_000], bs=256, augment=augment_for('digits'), device='cpu')
    learn = vision_learner(dls, 'resnet18')
    learn.fit_one_cycle(4, 3e-3)
    return save_tensors(path, learn.model.body.state_dict(), dict(body='resnet18', source=table.attrs['source']))

def characters(seed, path):
    "Four writers to learn from, ten others to be scored on."
    table = chinese_mnist(path)
    table = table[table.suite_id <= 14]
    table = table.assign(role=['train' if w <= 4 else 'test' for w in table.suite_id])
    return ImageDataLoaders.from_df(table, fn_col='id', label_col='label', splitter=ColSplitter('role'), vocab=CHINESE_NUMERALS, n_in=1, bs=32,
                                    augment=augment_for('characters'), seed=seed, device='cpu', cache=False), table.attrs['source']

def score(how, body, seed, path):
    "Accuracy on the other writers, and what the data is."
    dls, source = characters(seed, path)
    learn = vision_learner(dls, 'resnet18', weights=None if how == 'from scratch' else body, metrics=accuracy, seed=seed)
    if how == 'all layers learn': learn.unfreeze()
    with learn.no_bar(): learn.fit_one_cycle(EPOCHS, 3e-3)
    return learn.validate('test')['accuracy'], source

def store(res):
    with whole_file(out) as scratch: scratch.write_text(json.dumps(res, indent=1) + '\n')

if __name__ == '__main__':
    args = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--body', type=Path)
    args.add_argument('--chinese', type=Path)
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        body = args.body or digits_body(Path(tmp)/'body.safetensors')
        hows = 'body frozen', 'all layers learn', 'from scratch'
        res = dict(machine=f"{os.cpu_count()} cores, torch {torch.__version__.split('+')[0]}", epochs=EPOCHS, train=600, test=1500, seeds=[]) | {h: [] for h in hows}
        for seed in SEEDS:
            for how in hows:
                acc, res['source'] = score(how, body, seed, args.chinese)
                res[how].append(acc)
                print(seed, how, acc, flush=True)
            res['seeds'].append(seed)
            store(res)
