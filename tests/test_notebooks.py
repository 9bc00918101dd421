"Every notebook runs top to bottom in a fresh kernel: its cells are its tests. Walkthroughs run at their quick size."
import os
from pathlib import Path
import nbformat, pytest
from nbclient import NotebookClient

nbs = Path(__file__).resolve().parent.parent/'nbs'

@pytest.mark.parametrize('name', sorted(p.name for p in nbs.glob('*.ipynb') if not p.name.startswith(('_', '.'))))
def test_notebook(name, monkeypatch):
    monkeypatch.setenv('DIGITCLF_QUICK', '1')
    monkeypatch.setenv('MPLBACKEND', 'module://matplotlib_inline.backend_inline')
    nb = nbformat.read(nbs/name, 4)
    NotebookClient(nb, timeout=600, kernel_name='python3', resources={'metadata': {'path': str(nbs)}}).execute()
