"Runs a notebook's cells in a process of its own; `test_notebooks.py` starts it."
import os, sys, traceback

def run(path, temp, answer):
    "Run the cells of the notebook at `path` in a new IPython; send what went wrong through `answer`, or None."
    os.environ |= dict(DIGITCLF_QUICK='1', MPLBACKEND='module://matplotlib_inline.backend_inline', TMPDIR=temp)
    os.chdir(os.path.dirname(path))
    sys.path[:] = ['', *(p for p in sys.path if p != os.path.dirname(__file__))] # as in a kernel
    from execnb.nbio import read_nb
    from execnb.shell import CaptureShell
    try:
        shell, wrong = CaptureShell(mpl_format='png'), None
        for cell in read_nb(path).cells:
            if cell.cell_type != 'code': continue
            shell.run(cell.source)
            if shell.exc is not None:
                wrong = f'{cell.source}\n\n' + ''.join(traceback.format_exception(shell.exc))
                break
    except BaseException: wrong = traceback.format_exc()
    answer.send(wrong)
    answer.close()
