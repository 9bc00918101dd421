"""Every notebook runs top to bottom in a new process: its cells are its tests. Walkthroughs run at their quick size.

The processes are copies of one that has PyTorch and the other large libraries loaded, and nothing of ours: a kernel of its own for each took
nearly half as long again."""
import multiprocessing, tempfile
from pathlib import Path
import pytest
import cells

nbs = Path(__file__).resolve().parent.parent/'nbs'
names = sorted(p.name for p in nbs.glob('*.ipynb') if not p.name.startswith(('_', '.')))
seconds = 600 # for one notebook

@pytest.fixture(scope='session')
def copies():
    made = multiprocessing.get_context('forkserver')
    made.set_forkserver_preload(['torch', 'pandas', 'matplotlib.pyplot', 'matplotlib_inline.backend_inline', 'PIL.Image', 'execnb.shell'])
    return made

@pytest.mark.parametrize('name', names)
def test_notebook(name, copies):
    here, there = copies.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as temp:
        process = copies.Process(target=cells.run, args=(str(nbs/name), temp, there))
        process.start()
        there.close()
        try:
            assert here.poll(seconds), f'{name} did not end in {seconds} s'
            try: wrong = here.recv()
            except EOFError: wrong = 'the process died'
            if wrong: pytest.fail(f'{name}: {wrong}', pytrace=False)
        finally:
            process.join(10)
            process.kill()
