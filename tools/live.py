"""Make what the page Draw needs beside it: two nets as ONNX files, a runtime for browsers, and what is known of them: `python tools/live.py runs/live`.

The net for digits is the one of `make train` (trained now if there is none), that for the fifteen characters is trained here, on Chinese MNIST if
DIGITCLF_CHINESE names the archive or the cache has it, else on drawn stand-ins, and models.json says which. What is there and still right is kept.
All of it is made before the first file is put into the folder.
"""
import argparse, hashlib, json, os, subprocess, sys, tempfile, time
from pathlib import Path
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE') # threads that wait and spin make a busy machine many times slower
import pandas as pd, torch
import digitclf.bundle, digitclf.schedules # they add export and fit_one_cycle
from digitclf.augment import augment_for
from digitclf.blocks import ImageDataLoaders
from digitclf.chinese import chinese_mnist
from digitclf.draw import PLACING, sample_strokes
from digitclf.learner import Learner
from digitclf.metrics import accuracy
from digitclf.models import count_params, create_model
from digitclf.onnx import OnnxPredictor, check_onnx, export_onnx
from digitclf.pages import write_whole
from digitclf.predictor import Predictor, bundle_header
from digitclf.sources import DataFile, FetchError, mnist
from digitclf.splits import GroupSplitter
from digitclf.strokes import CHINESE_NUMERALS, CHINESE_VALUES
from npm import npm_package

root = Path(__file__).resolve().parent.parent
PACKAGE = 'onnxruntime-web@1.30.0' # MIT licence, the notice is in its file
INTEGRITY = 'sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
MODULE = DataFile('ort.wasm.bundle.min.mjs', 73054, '11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90')
WASM = DataFile('ort-wasm-simd-threaded.wasm', 14239897, '3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2')
CHARACTERS = dict(arch='digit_net', net=dict(window=40, widths=[16, 32, 48, 64, 96], strides=[2, 1, 2, 1, 2], grid=5), epochs=5, lr=1e-2, bs=64, seed=42,
                  augment=dict(subject='characters', zoom=[.7, 1.4]), split='a fifth of the writers')

def say(text): print(text, flush=True)

def sha(data): return hashlib.sha256(data).hexdigest()

# ---- the runtime ----

def runtime(out):
    "The runtime's files as bytes, and what the page must know of them."
    if any(f.problem(out/f.name) for f in (MODULE, WASM)):
        say(f'fetching {PACKAGE}')
        got = npm_package(PACKAGE, INTEGRITY, [f'dist/{f.name}' for f in (MODULE, WASM)])
        files = {f.name: got[f'dist/{f.name}'] for f in (MODULE, WASM)}
    else: files = {f.name: (out/f.name).read_bytes() for f in (MODULE, WASM)}
    return files, dict(package=PACKAGE, module=MODULE.name, wasm=WASM.name, bytes=WASM.size)

# ---- the nets ----

def entry(kind, d):
    "What the page must know of a net: what was measured, how to place a drawing, examples, and the text under the card."
    def rounded(path): return [[round(float(v), 3) for v in p] for p in path]
    strokes = {k: [rounded([*s[:-1:4], s[-1]]) for s in o] for k, o in sample_strokes(kind).items()}
    return d | PLACING[kind] | dict(pad_pen=dict(digits=.045, characters=.03)[kind], strokes=strokes, facts=facts(d))

def facts(d):
    kind = ' A program drew those pictures, in place of real handwriting.' if 'drawn' in d['source'] else ''
    return (f"The net: {d['arch']} with {d['parameters']:,} weights, {d['bytes']/1000:.0f} kB, trained on {d['n_train']:,} pictures of {d['source']} in "
            f"{d['seconds']:.0f} s. Of {d['n_test']:,} {d['judged_by']} this very file reads {d['accuracy']:.2%} rightly, measured when the page was built.{kind}")

def finish(kind, bundle, tmp, pics, targs, **known):
    "Write the ONNX file, compare it with the bundle and measure it: its bytes, and an entry for models.json."
    file = export_onnx(bundle, tmp/f'{kind}.onnx')
    if (off := check_onnx(file, bundle, pics[:2000])) > 1e-4: raise ValueError(f"{file} differs from {bundle} by {off:.2g}")
    net = OnnxPredictor(file)
    right = sum(int((net.probs(p).argmax(1) == t).sum()) for p, t in zip(pics.split(500), targs.split(500)))
    data = file.read_bytes()
    d = dict(file=file.name, labels=net.vocab, arch=net.header['arch']['name'], parameters=count_params(Predictor(bundle, 'cpu').model)[0],
             source=net.header['source'], bytes=len(data), sha256=sha(data), n_test=len(pics), accuracy=right/len(pics), **known)
    say(f"{kind}: {d['accuracy']:.2%} of {len(pics):,} test pictures, differs from PyTorch by {off:.1g}")
    return data, d

def trained_digits():
    "The bundle of `make train`, made now if there is none."
    bundle = root/'runs'/'mnist'/'model.safetensors'
    if not bundle.is_file():
        say('training the net for digits, as make train does')
        subprocess.run([str(Path(sys.executable).with_name('digitclf_train')), '--data', 'mnist', '--out', str(bundle.parent.relative_to(root))], cwd=root, check=True)
    h = bundle_header(bundle)
    if h['multi'] or h['vocab'] != [str(i) for i in range(10)] or h['prep']['n_in'] != 1 or h['prep']['size'] != [28, 28] or h['source'] != 'MNIST':
        raise ValueError(f"{bundle} is no net for MNIST's grey digits of 28×28: delete it, and it is trained again")
    return bundle, h

CODE = sha(b''.join((root/'digitclf'/f'{m}.py').read_bytes() for m in ('onnx', 'models', 'augment', 'losses', 'learner', 'schedules', 'chinese', 'strokes'))) # what the nets come from

def digits(keep, tmp):
    "The net for digits."
    images, table = mnist()
    bundle, h = trained_digits()
    key = sha(bundle.read_bytes() + CODE.encode())
    if kept := keep('digits', key): return kept
    history, test = bundle.with_name('history.csv'), (table.role == 'test').to_numpy()
    return finish('digits', bundle, tmp, torch.from_numpy(images[test])[:, None], torch.tensor(table.label[test].astype(int).to_numpy()), key=key,
                  n_train=int((~test).sum()), judged_by='test digits', seconds=round(float(pd.read_csv(history).time.sum()), 1) if history.is_file() else 0.)

def characters(keep, tmp):
    "The net for the fifteen characters: most writers to learn from, the others to judge it by."
    table = chinese_mnist(os.environ.get('DIGITCLF_CHINESE') or None)
    source, c = table.attrs['source'], CHARACTERS
    key = sha(json.dumps([c, source, len(table), torch.__version__, CODE]).encode())
    if kept := keep('characters', key): return kept
    say(f'training the net for characters, {source}')
    dls = ImageDataLoaders.from_df(table, fn_col='id', label_col='label', n_in=1, bs=c['bs'], splitter=GroupSplitter('writer', .2, c['seed']), seed=c['seed'],
                                   vocab=CHINESE_NUMERALS, augment=augment_for(c['augment']['subject'], zoom=tuple(c['augment']['zoom'])), device='cpu')
    learn = Learner(dls, create_model(c['arch'], 1, dls.n_out, seed=c['seed'], **c['net']), metrics=accuracy, seed=c['seed'])
    learn.fit_one_cycle(c['epochs'], c['lr'])
    rows = torch.as_tensor(dls.valid.rows)
    return finish('characters', learn.export(tmp/'characters.safetensors'), tmp, dls.valid.store[rows], torch.as_tensor(dls.valid.targs)[rows], key=key,
                  n_train=dls.train.n, judged_by=f"pictures by {dls.table.writer[dls.table.role == 'valid'].nunique()} other writers", seconds=round(float(learn.history.time.sum()), 1),
                  names={k: f'{v:,}' for k, v in zip(CHINESE_NUMERALS, CHINESE_VALUES)})

# ---- all of it ----

def make(out):
    "Fill the folder; what it holds already and is still right is taken over."
    try: old = json.loads((out/'models.json').read_text(encoding='utf-8'))['models']
    except (OSError, ValueError, KeyError, TypeError): old = {}
    def keep(kind, key):
        d = old.get(kind, {})
        if d.get('key') != key or not (out/d['file']).is_file() or sha(data := (out/d['file']).read_bytes()) != d['sha256']: return
        say(f'{kind}: as it was')
        return data, d
    files, run = runtime(out)
    with tempfile.TemporaryDirectory() as t:
        made = {f.__name__: f(keep, Path(t)) for f in (digits, characters)}
    files |= {d['file']: data for data, d in made.values()}
    about = dict(runtime=run, models={k: entry(k, d) for k, (_, d) in made.items()})
    write_whole(out, files | {'models.json': json.dumps(about, ensure_ascii=False).encode()})
    say(f"{out}: {', '.join(f'{n} {len(b)/1e6:.2f} MB' for n, b in files.items())}")

if __name__ == '__main__':
    args = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('out', type=Path, help='the folder to fill')
    start = time.perf_counter()
    try: make(args.parse_args().out)
    except (FetchError, OSError, ValueError, ImportError, subprocess.CalledProcessError) as e: sys.exit(f'tools/live.py: {e}\nNothing was written.')
    say(f'{time.perf_counter()-start:.0f} s')
