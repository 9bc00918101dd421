"Run notebooks from fresh kernels, in full, and store what they showed: `python tools/run_notebooks.py nbs/20_*.ipynb`."
import subprocess, sys, time
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from digitclf.weights import whole_file

def run(path):
    "Execute one notebook where it lies; the file changes only if every cell ran."
    nb, start = nbformat.read(path, 4), time.time()
    NotebookClient(nb, timeout=3600, kernel_name='python3', resources={'metadata': {'path': str(path.parent)}}).execute()
    with whole_file(path) as scratch: nbformat.write(nb, scratch)
    subprocess.run([str(Path(sys.executable).with_name('nbdev_clean')), '--fname', str(path)], check=True)
    print(f'{path.name}: {time.time()-start:.0f} s', flush=True)

if __name__ == '__main__':
    if len(sys.argv) < 2: sys.exit(__doc__)
    for p in map(Path, sys.argv[1:]):
        print(f'{p.name} …', flush=True)
        try: run(p)
        except CellExecutionError as e: sys.exit(f'{p}: {e}')
