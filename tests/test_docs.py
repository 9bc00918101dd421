"The adapter between two dialects: what Quarto and nbdev write, as Sphinx with MyST reads it; and what the site says of a symbol."
import sys
from pathlib import Path
import nbformat, pytest

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
import docs, docs_renderer, npm
new = nbformat.v4
BASE, REPO = 'https://digitclf.github.io/digitclf', 'https://github.com/digitclf/digitclf'
PAGES = {'06b_learner.ipynb': 'learner.ipynb', '20_mnist_from_scratch.ipynb': 'mnist_from_scratch.ipynb'}

def md(text): return docs.markdown(text, PAGES, BASE, REPO)

def test_callouts():
    assert md('a\n\n::: {.callout-note}\n\nMind **this**.\n\n:::\n\nb') == 'a\n\n:::{note}\nMind **this**.\n:::\n\nb'
    assert md('::: {.callout-tip title="Try"}\nx\n:::') == ':::{admonition} Try\n:class: tip\nx\n:::'
    assert md('::: {.callout-warning}\n## Slow\nx\n:::') == ':::{admonition} Slow\n:class: warning\nx\n:::'

def test_links():
    assert md(f'[`Learner.fit`]({BASE}/learner.html#learner.fit)') == '[`Learner.fit`](learner.ipynb#learner.fit)'
    assert md(f'[`_Whole`]({BASE}/onnx.html#_whole)') == '`_Whole`', 'what is private has no place on the site'
    assert md(f'[`Augment.__call__`]({BASE}/augment.html#augment.__call__)') == '[`Augment.__call__`](augment.ipynb#augment)'
    assert md('[first](20_mnist_from_scratch.ipynb)') == '[first](mnist_from_scratch.ipynb)'
    assert md('[here](../CONTRIBUTING.md)') == f'[here]({REPO}/blob/main/CONTRIBUTING.md)'
    assert md('Use `fit_one_cycle`.') == 'Use [`fit_one_cycle`](schedules.ipynb#learner.fit_one_cycle).'
    for same in ('```python\nlearn.fit_one_cycle(`fit_one_cycle`)\n```', 'a `row` of', '[x](https://example.org/a.html#b)'): assert md(same) == same

def test_options():
    assert docs.options('#| echo: false\n#| code-summary: "Exported source"\nx = 1') == ({'echo': 'false', 'code-summary': 'Exported source'}, 'x = 1')
    assert docs.options('x = 1 #| not one') == ({}, 'x = 1 #| not one')

def turned(*cells): return list(docs.cells(new.new_notebook(cells=list(cells)), lambda t: t, 'a page'))

def shown(source, text): return new.new_code_cell(source, outputs=[new.new_output('display_data', data={'text/markdown': text})])

def test_cells():
    told = shown('#| echo: false\n#| output: asis\nshow_doc(f)', f'---\n\n[source]({REPO}/blob/main/digitclf/a.py#L3){{.source-link}}\n\n### f\n\nWhat it does.')
    code = new.new_code_cell('#| code-fold: show\n#| code-summary: "Exported source"\ndef f(): pass')
    hidden = new.new_code_cell('#| echo: false\n1', outputs=[new.new_output('stream', name='stdout', text='1')])
    a, b, c, d = turned(told, code, hidden, new.new_code_cell('import os\nfrom os import path'))
    assert a.cell_type == 'markdown' and '<span id="f" class="symbol"></span>' in a.source and '### f' in a.source and '---' not in a.source
    assert (b.source, b.metadata['tags']) == ('def f(): pass', ['exported'])
    assert c.metadata['tags'] == ['remove-input'] and c.outputs
    assert d.metadata['tags'] == ['hide-input', 'imports']
    assert not turned(new.new_code_cell('#| include: false\n1'), new.new_code_cell('#| echo: false\nx = 1'), new.new_markdown_cell('  '))

def test_symbols_come_in_the_order_of_their_code():
    told = lambda n: shown(f'#| echo: false\n#| output: asis\nshow_doc({n})', f'### {n}')
    code = new.new_code_cell('#| code-fold: show\ndef one(): pass\ndef two(): pass\nclass A: pass')
    assert [c.source[:8] for c in turned(told('A'), code, told('two'), told('one'))] == ['### one', '### two', '### A', 'def one(']

def test_a_page_whose_lookup_fails_is_an_error():
    bad = new.new_code_cell('show_doc(f)', outputs=[new.new_output('error', ename='NameError', evalue='no f', traceback=[])])
    with pytest.raises(SystemExit, match='a page: .*\n.*\nNameError: no f'): turned(bad)

def test_anchors_are_nbdevs():
    assert [docs.slug(o) for o in ('Learner.fit_one_cycle', 'What is left?', '1. First Steps')] == ['learner.fit_one_cycle', 'what-is-left', '1.-first-steps']

def test_sections():
    tree = ['index.ipynb', dict(section='Library', contents=['a.ipynb', dict(section='Data', contents=['b.ipynb', 'c.ipynb'])])]
    assert docs.sections(tree) == [('', ['index.ipynb']), ('Library', ['a.ipynb']), ('Library · Data', ['b.ipynb', 'c.ipynb'])]

def test_every_page_is_in_the_sidebar():
    named = [n for _, names in docs.sections(docs.description()['website']['sidebar']['contents']) for n in names]
    assert sorted(named) == sorted(p.name for p in (root/'nbs').glob('*.ipynb'))
    assert len({docs.address(n) for n in named}) == len(named)
    assert (root/'nbs'/'_quarto.yml').read_bytes() == (root/'_quarto.yml').read_bytes()

def test_what_the_site_says_of_a_method():
    text = docs_renderer.Renderer(None, name='Learner.fit_one_cycle')._repr_markdown_()
    assert '### Learner.fit_one_cycle' in text and '/digitclf/schedules.py#L' in text
    assert 'pct_start: float = 0.25' in text and 'self' not in text
    assert '| `pct_start` | `float` | `0.25` |' in text

def test_every_public_symbol_can_be_shown():
    public = [n for n in docs_renderer.modules() if not any(p.startswith('_') for p in n.split('.'))]
    assert len(public) > 300
    for n in public: assert f'### {n}\n' in docs_renderer.Renderer(None, name=n)._repr_markdown_()

def test_a_package_that_is_not_the_one_we_know(tmp_path, monkeypatch):
    tool = tmp_path/'npm'
    tool.write_text('#!/bin/sh\nprintf x > a.tgz\n')
    tool.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    with pytest.raises(OSError, match='katex@1 is not the package we know'): npm.npm_package('katex@1', 'sha512-abc=', ['dist'])
    tool.write_text('#!/bin/sh\necho "npm error no such package" >&2\nexit 1\n')
    with pytest.raises(OSError, match='npm could not fetch katex@1: no such package'): npm.npm_package('katex@1', 'sha512-abc=', ['dist'])
    monkeypatch.setenv('PATH', str(tmp_path/'none'))
    with pytest.raises(OSError, match='npm client, which is not on PATH'): npm.npm_package('katex@1', 'sha512-abc=', ['dist'])
