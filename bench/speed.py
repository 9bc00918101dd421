"""Speed, as ratios within one run: `make bench`. Results go to bench/speed.json, which nbs/30_benchmarks.ipynb reads.

Each pair does the same work on the same tensors, once through `Learner.fit` and once through a loop written by hand; the two take
turns, and the ratio is that of their medians. A ratio close to 1 means that the library costs nothing. The part `precompute` compares two
ways of the library: a frozen epoch from pictures, and one from features kept. Names of parts (mlp, resnet18, cache, precompute) after the
command measure only these again.
"""
import json, os, platform, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import torch
import torch.nn.functional as F
from digitclf.blocks import ImageDataLoaders
from digitclf.learner import Learner, adamw, sgd
from digitclf.models import create_model
from digitclf.pictures import to_uint8
from digitclf.sources import mnist, mnist_folder
from digitclf.vision import vision_learner

out = Path(__file__).resolve().parent/'speed.json'

def by_hand(model, opt, dl, loss_func):
    "What the learner does with a batch, and nothing else."
    model.train()
    data, targs, losses = dl.store.data, dl.targs, []
    mul, add = 1/(255*dl.std[0]), -dl.mean[0]/dl.std[0]
    for idx in torch.randperm(len(data)).split(dl.bs):
        xb, yb = data.index_select(0, idx).float().mul_(mul).add_(add), targs.index_select(0, idx)
        loss = loss_func(model(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
        losses.append(loss.detach())
    return torch.stack(losses).mean().item()

def pair(arch, images, table, bs, opt_func, lr, rounds):
    "Median seconds of an epoch by hand and by `Learner.fit`, taking turns, and their ratio."
    dls = ImageDataLoaders.from_arrays(images, table[['label']].assign(role='train'), bs=bs, device='cpu')
    learn = Learner(dls, arch, opt_func=opt_func, lr=lr, wd=0.)
    model = create_model(arch, 1, 10, seed=0, size=28)
    opt = opt_func(model.parameters(), lr=lr)
    hand, fit = [], []
    with learn.no_bar():
        for _ in range(rounds):
            t = time.perf_counter(); by_hand(model, opt, dls.train, F.cross_entropy); hand.append(time.perf_counter() - t)
            t = time.perf_counter(); learn.fit(1, lr); fit.append(time.perf_counter() - t)
    ratios = [f/h for f, h in zip(fit[1:], hand[1:])]
    h, f = statistics.median(hand[1:]), statistics.median(fit[1:])
    return dict(images=len(images), bs=bs, by_hand_s=h, learner_s=f, ratio=f/h, ratio_min=min(ratios), ratio_max=max(ratios), rounds=rounds-1)

def seconds(f):
    "How long a call takes."
    t = time.perf_counter(); f(); return time.perf_counter() - t

def frozen(images, table, size, bs=64, rounds=5):
    "Median seconds of a frozen ResNet-50's epoch from pictures and from features, taking turns, and seconds to make the features once."
    pics = torch.stack([to_uint8(im, size=size) for im in images])
    dls = ImageDataLoaders.from_arrays(pics, table[['label']].assign(role='train'), bs=bs, device='cpu')
    learn = vision_learner(dls, 'resnet50')
    learn.freeze()
    slow, fast = [], []
    with learn.no_bar():
        once = seconds(learn.precompute)
        features = learn.dls
        for _ in range(rounds):
            learn.dls = dls; slow.append(seconds(lambda: learn.fit(1, 1e-3)))
            learn.dls = features; fast.append(seconds(lambda: learn.fit(1, 1e-3)))
    ratios = [s/f for s, f in zip(slow[1:], fast[1:])]
    s, f = statistics.median(slow[1:]), statistics.median(fast[1:])
    return dict(pictures_s=s, features_s=f, ratio=s/f, ratio_min=min(ratios), ratio_max=max(ratios), once_s=once)

def precompute(images, table, sizes=(28, 64), rounds=5):
    "The frozen epoch at several sizes, in pixels."
    return dict(body='resnet50', images=len(images), rounds=rounds-1, sizes={str(n): frozen(images, table, n, rounds=rounds) for n in sizes})

FIRST = """
import sys
import torch, pandas, PIL
from digitclf.blocks import ImageDataLoaders
from digitclf.weights import whole_file
import time
t = time.perf_counter()
dls = ImageDataLoaders.from_folder(sys.argv[1], train='training', valid='testing', n_in=1, cache=sys.argv[2])
xb, yb = next(iter(dls.train))
print(time.perf_counter() - t, dls.train.store.decoded)
"""

def cache():
    "Seconds to the first batch of 70 000 PNG files: the first time, and once the cache is there."
    root = mnist_folder()
    with tempfile.TemporaryDirectory() as tmp:
        runs = [subprocess.run([sys.executable, '-c', FIRST, str(root), tmp], capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    (cold, n0), (warm, n1) = runs[0], min(runs[1:], key=lambda r: float(r[0]))
    return dict(files=70_000, first_run_s=float(cold), first_run_decoded=int(n0), second_run_s=float(warm), second_run_decoded=int(n1))

def main(parts):
    images, table = mnist()
    images, table, n = images[:60_000], table[:60_000], 6_400
    todo = dict(mlp=lambda: pair('mlp', images, table, 256, sgd, .1, rounds=31),
                resnet18=lambda: pair('resnet18', images[:n], table[:n], 64, adamw, 1e-3, rounds=5), cache=cache,
                precompute=lambda: precompute(images[:640], table[:640]))
    res = json.loads(out.read_text()) if parts and out.exists() else {}
    res['machine'] = dict(cpu=platform.machine(), cores=os.cpu_count(), threads=torch.get_num_threads(),
                          torch=torch.__version__.split('+')[0], python=platform.python_version())
    for part in parts or todo:
        res[part] = todo[part]()
        print(part, res[part], flush=True)
    with whole_file(out) as scratch: scratch.write_text(json.dumps(res, indent=1) + '\n')

if __name__ == '__main__': main(sys.argv[1:])
