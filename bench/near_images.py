"""How near do different pictures come, and how far do copies move? Results go to bench/near_images.json, which nbs/01b_leaks.ipynb reads.

`python bench/near_images.py [FOLDER]`: all of MNIST, and the JPEG files of FOLDER (the Chinese numerals) if it is given.
"""
import io, json, os, platform, sys, time
from pathlib import Path
import numpy as np, torch
from PIL import Image
from digitclf.labels import get_image_files
from digitclf.leaks import _shrink, _unit, near_pairs
from digitclf.sources import mnist
from digitclf.store import ImageStore

out = Path(__file__).resolve().parent/'near_images.json'
rng = np.random.default_rng(0)

def jpeg(x, quality):
    file = io.BytesIO()
    Image.fromarray(x).save(file, 'JPEG', quality=quality)
    return np.array(Image.open(file))

CHANGES = {'JPEG 75': lambda x: jpeg(x, 75), 'JPEG 50': lambda x: jpeg(x, 50), 'darker': lambda x: (x*.8).astype(np.uint8),
           'grainy': lambda x: np.clip(x + rng.normal(0, 5, x.shape), 0, 255).astype(np.uint8)}

def measure(x):
    "Seconds, pairs within some distances, and the share of changed copies that are found."
    start = time.process_time()
    near_pairs(x)
    row = {'pictures': len(x), 'seconds of one core': round(time.process_time() - start, 1)}
    pairs = near_pairs(x, .2)
    row |= {'nearest pair': round(float(pairs['diff'].min()), 3)} | {f'pairs at {d}': int((pairs['diff'] <= d).sum()) for d in (.12, .15, .2)}
    some = x[torch.from_numpy(rng.permutation(len(x))[:2000])]
    for name, f in CHANGES.items():
        copy = torch.from_numpy(np.stack([f(o[0]) for o in some.numpy()]))[:,None]
        row[f'found: {name}'] = round(float(((_unit(_shrink(some, 32)) - _unit(_shrink(copy, 32))).norm(dim=1) <= .12).float().mean()), 3)
    return row

if __name__ == '__main__':
    torch.set_num_threads(1)
    sets = {'MNIST': measure(torch.from_numpy(np.array(mnist()[0]))[:,None])}
    if len(sys.argv) > 1: sets['Chinese numerals'] = measure(ImageStore.from_files(get_image_files(sys.argv[1]), n_in=1, cache=False).data)
    machine = dict(processor=platform.processor() or platform.machine(), cores=os.cpu_count(), threads=1, torch=torch.__version__, python=platform.python_version())
    out.write_text(json.dumps(dict(machine=machine, sets=sets), indent=1) + '\n')
    print(out.read_text())
