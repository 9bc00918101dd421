"""Build the site without Quarto: nbdev processes the notebooks, this turns them into what Sphinx with MyST reads, Sphinx writes `_docs/`.

`_quarto.yml` stays the one description of the site. What is ours is the difference between the two dialects: front matter, cell options
(`#| echo: false`), callouts, the addresses of pages."""
import argparse, ast, hashlib, os, re, shutil, sys
from collections import Counter
from functools import cache
from pathlib import Path
import nbformat, yaml

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
proc, src, made, out = root/'_proc', root/'build'/'site', root/'build'/'html', root/'_docs'
live = root/'runs'/'live' # from tools/live.py

def description():
    "The site as `_quarto.yml` describes it."
    return yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))

def sections(contents, above=''):
    "The sidebar as [(caption, [file, …]), …]; a section in a section is called by both."
    found, loose = [], []
    for o in contents:
        if isinstance(o, str): loose.append(o)
        elif 'section' in o: found += sections(o['contents'], f"{above} · {o['section']}" if above else o['section'])
        else: loose.append(o['href'])
    return ([(above, loose)] if loose else []) + found

def address(name):
    "The page's name in the site: as nbdev's, without its number."
    from nbdev.doclinks import _nbpath2html
    return Path(_nbpath2html(Path(name))).stem

# --- one dialect into the other -------------------------------------------------------------------------------------

CALLOUT = re.compile(r'^::: *\{\.callout-(note|tip|warning|important|caution)([^}]*)\}\s*\n(.*?)^:::[ \t]*$', re.M | re.S)

def callout(m):
    "Quarto's callout as MyST's admonition."
    kind, attrs, body = m.groups()
    title = re.search(r'title="([^"]*)"', attrs)
    head = re.match(r'\s*##+ +(.+)\n', body)
    if title is None and head: title, body = head, body[head.end():]
    name = f'{{admonition}} {title[1]}\n:class: {kind}' if title else f'{{{kind}}}'
    return f':::{name}\n{body.strip()}\n:::'

def markdown(text, pages, base, repo):
    "Quarto's and nbdev's Markdown as MyST's: callouts, links to symbols and pages, files beside the notebooks."
    text = CALLOUT.sub(callout, text)
    link = lambda m: f"]({pages[m[1]]}{m[2] or ''})" if m[1] in pages else m[0]
    def symbol(m):
        name, page, anchor = m.groups()
        parts = [o for o in (anchor or '').split('.') if not re.fullmatch(r'__\w+__', o)] # a class's page shows it without its double underscores
        if any(o.startswith('_') for o in parts): return name
        return f"[{name}]({page}.ipynb{'#' if parts else ''}{'.'.join(parts)})"
    method = lambda m: f"[{m[0]}]({verbs()[m[1]][0]}.ipynb#learner.{m[1]})" if m[1] in verbs() and not m[1].startswith('_') else m[0]
    text = ''.join(part if part.startswith('```') else re.sub(r'(?<![\[`])`(\w+)(?:\(\))?`(?![\]`])', method, part) for part in re.split(r'(^```.*?^```)', text, flags=re.M | re.S))
    text = re.sub(rf'\[(`[^`\n]*`)\]\({re.escape(base)}/([\w-]+)\.html(?:#([\w.]+))?\)', symbol, text)
    text = re.sub(r'\]\(([\w-]+\.ipynb)(#[^)\s]*)?\)', link, text)
    return re.sub(r'\]\(\.\./([^)\s]+)\)', rf']({repo}/blob/main/\1)', text)

def options(source):
    "The cell's `#| key: value` lines as a dict, and the code below them."
    lines, found = source.split('\n'), {}
    while lines and lines[0].startswith('#|'):
        key, _, value = lines.pop(0)[2:].partition(':')
        found[key.strip()] = value.strip().strip('"')
    return found, '\n'.join(lines).strip('\n')

@cache
def verbs():
    "A learner's methods by their bare names, as prose calls them: `fit_one_cycle`."
    from digitclf import _modidx
    syms = {k: v[0] for names in _modidx.d['syms'].values() for k, v in names.items()}
    count = Counter(k.split('.')[-1] for k in syms) # a name that others have, too, says nothing
    return {k.split('.')[-1]: (v.split('.html')[0], k.split('.')[-1]) for k, v in syms.items() if '.Learner.' in k and count[k.split('.')[-1]] == 1}

def slug(title):
    "The anchor of a heading, as nbdev and Quarto make it: dots stay."
    return re.sub(r'\s+', '-', re.sub(r'[^\w\s.-]', '', title.lower()).strip())

def only_imports(code):
    "Does the cell hold nothing but imports?"
    try: body = ast.parse(code).body
    except SyntaxError: return False
    return bool(body) and all(isinstance(o, (ast.Import, ast.ImportFrom)) for o in body)

def in_order(cells):
    "Symbols before their code and in the code's order: nbdev puts those of one cell the other way round, around it."
    cells, i, told = list(cells), 0, lambda c: c.cell_type == 'code' and 'show_doc(' in c.source and 'output: asis' in c.source
    shown = lambda c: c.cell_type == 'code' and 'code-fold' in c.source
    while i < len(cells):
        j = i
        while j < len(cells) and (told(cells[j]) or shown(cells[j]) and not any(map(shown, cells[i:j]))): j += 1
        if j > i + 1:
            code = [c for c in cells[i:j] if shown(c)]
            def where(c):
                name = re.search(r'show_doc[(](?:.*[.])?([^.)]+)[)]', c.source)[1]
                found = re.search(rf'^ *(?:async def|def|class) {name}\b', code[0].source, re.M) if code else None
                return found.start() if found else 0
            cells[i:j] = sorted([c for c in cells[i:j] if told(c)], key=where) + code
        i = max(j, i + 1)
    return cells

def symbols(text):
    "What the renderer wrote, with an anchor before each name: nbdev's own address of the symbol, dots and all."
    text = re.sub(r'\n*^\[source\]\(([^)\s]+)\)\{\.source-link\}\n+(#+) (\S+)$', lambda m: (
        f'\n\n<span id="{m[3].lower()}" class="symbol"></span>\n\n{m[2]} {m[3]}\n\n<a class="source-link" href="{m[1]}">source</a>\n'), text, flags=re.M)
    return re.sub(r'^---\n+', '', text)

def cells(nb, fix, name):
    "The notebook's cells in MyST-NB's terms."
    new = nbformat.v4
    for c in in_order(nb.cells):
        if c.cell_type == 'markdown' and c.source.strip() and 'WARNING: THIS FILE WAS AUTOGENERATED' not in c.source:
            yield new.new_markdown_cell(fix(c.source))
        if c.cell_type != 'code': continue
        opts, code = options(c.source)
        wrong = [o for o in c.outputs if o.output_type == 'error']
        if wrong: raise SystemExit(f"{name}: a cell of the page fails while its symbols are looked up:\n{c.source}\n{wrong[0].ename}: {wrong[0].evalue}")
        outputs = [] if opts.get('output') == 'false' else c.outputs
        if opts.get('include') == 'false': continue
        if opts.get('output') == 'asis':
            for o in outputs:
                text = o.get('data', {}).get('text/markdown') or (o.get('text') if o.output_type == 'stream' else None)
                if text: yield new.new_markdown_cell(fix(symbols(text)))
            continue
        tags = ['remove-input'] if opts.get('echo') == 'false' else ['exported'] if 'code-fold' in opts else ['hide-input', 'imports'] if only_imports(code) else []
        for o in outputs:
            if 'text/markdown' in o.get('data', {}): o.data['text/markdown'] = fix(o.data['text/markdown'])
        if (code.strip() and 'remove-input' not in tags) or outputs:
            yield new.new_code_cell(code, outputs=outputs, metadata=dict(tags=tags, mystnb=dict(code_prompt_show='Imports', code_prompt_hide='Imports')) if tags else {})

def front(nb):
    "The front matter that nbdev made of the first cell."
    for c in nb.cells:
        if c.cell_type == 'raw' and c.source.startswith('---'): return yaml.safe_load(c.source.strip().strip('-'))
    return {}

def page(path, pages, info):
    "One processed notebook as a page for Sphinx."
    nb = nbformat.read(path, 4)
    fm, repo = front(nb), info['repo']
    head = f"# {fm.get('title', path.stem)}\n"
    if fm.get('description'): head += f"\n{{.promise}}\n{fm['description']}\n"
    nb.cells = [nbformat.v4.new_markdown_cell(head), *cells(nb, lambda t: markdown(t, pages, info['base'], repo), path.name)]
    if path.name == 'index.ipynb': nb.cells.append(nbformat.v4.new_markdown_cell(info['toc']))
    for i, c in enumerate(nb.cells): c['id'] = f'c{i}'
    nb.metadata = {'kernelspec': {'name': 'python3', 'display_name': 'Python 3', 'language': 'python'}, 'language_info': {'name': 'python'}, 'notebook': path.name}
    return nbformat.writes(nb)

def toctree(parts):
    "The sidebar as Sphinx's hidden trees, one for each section."
    tree = lambda caption, names: '\n'.join(['```{toctree}', ':hidden:', *([f':caption: {caption}'] if caption else []), '', *names, '```'])
    return '\n\n'.join(tree(caption, names) for caption, names in parts)

def keep(path, text):
    "Write only what changed: Sphinx reads again only what is newer."
    data = text.encode() if isinstance(text, str) else text
    if path.is_file() and path.read_bytes() == data: return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)

# --- the build ------------------------------------------------------------------------------------------------------

def sources():
    "Fill `build/site` from `_proc`; the names of the pages."
    d = description()
    site = d['website']
    files = [n for _, names in sections(site['sidebar']['contents']) for n in names]
    pages = {n: f'{address(n)}.ipynb' for n in files} | {f'{address(n)}.ipynb': f'{address(n)}.ipynb' for n in files}
    double = sorted({n for n in files if sum(address(m) == address(n) for m in files) > 1})
    if double: raise SystemExit(f'these pages would have the same address: {double}; rename one (numbers do not count)')
    missing = sorted({p.name for p in (root/'nbs').glob('*.ipynb')} ^ set(files))
    if missing: raise SystemExit(f'in _quarto.yml or in nbs/, but not in both: {missing}')
    parts = [(caption, [address(n) for n in names if n != 'index.ipynb']) for caption, names in sections(site['sidebar']['contents'])]
    info = {'base': site['site-url'].rstrip('/'), 'repo': site['repo-url'], 'toc': toctree(parts)}
    wanted = set()
    for n in files:
        wanted.add(src/pages[n])
        keep(src/pages[n], page(proc/n, pages, info))
    for f in sorted((root/'nbs'/'images').glob('*.*')):
        keep(src/'images'/f.name, f.read_bytes())
        wanted.add(src/'images'/f.name)
    for f in src.rglob('*'):
        if f.is_file() and f not in wanted: f.unlink()
    return files

KATEX = ('katex@0.16.22', 'sha512-XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp7TWv9hNhzZjZ+OH9yf1UmLygb7DIT5GSFQiyt16zYg==') # as sphinxcontrib-katex has it

def formulas(to):
    "KaTeX's style sheet and fonts; its script runs here, not in the reader's browser."
    from npm import npm_package
    if (to/'version').is_file() and (to/'version').read_text() == KATEX[0]: return
    for name, data in npm_package(*KATEX, ['dist/katex.min.css', 'dist/fonts']).items():
        if not name.endswith(('.ttf', '.woff')): keep(to/Path(name).relative_to('dist'), data)
    keep(to/'version', KATEX[0]) # last: all of it is there

def state():
    "What a processed notebook depends on besides itself: the package, for its symbols, and our tools."
    files = [*sorted((root/'digitclf').glob('*.py')), *sorted((root/'tools').glob('docs*.py'))]
    return hashlib.sha256(b''.join(f.read_bytes() for f in files)).hexdigest()

def beside(to):
    "What goes into the site as it is: the notebooks, and what the drawing page needs."
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(root/'nbs', to/'notebooks', ignore=lambda d, names: [n for n in names if not n.endswith('.ipynb')])
    shutil.copytree(root/'nbs'/'draw', to/'draw')
    if (live/'models.json').is_file(): shutil.copytree(live, to/'draw', dirs_exist_ok=True)

def place():
    "Put the built site in its place at once: `_docs` is never half a site."
    new, old = out.with_name('_docs.new'), out.with_name('_docs.old')
    for folder in (new, old): shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, new, ignore=shutil.ignore_patterns('.buildinfo', '_sources', 'objects.inv.bak'))
    (new/'.nojekyll').touch()
    if out.exists(): out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)

def build(fresh=False):
    "Notebooks to `_proc`, `_proc` to `build/site`, that to `_docs`."
    from nbdev.serve import proc_nbs
    from sphinx.cmd.build import main as sphinx
    os.environ['PYTHONPATH'] = os.pathsep.join([str(root/'tools'), *filter(None, [os.environ.get('PYTHONPATH')])])
    os.chdir(root)
    if fresh:
        for folder in (proc, src.parent): shutil.rmtree(folder, ignore_errors=True)
    if shutil.which('node') is None: raise SystemExit('formulas are set with node, which is not on PATH (Debian: apt install npm)')
    formulas(root/'build'/'static'/'katex')
    mark, now = root/'build'/'proc.state', state()
    same = mark.is_file() and mark.read_text() == now
    mark.unlink(missing_ok=True)
    proc_nbs(force=not same)
    names = sources() # a page that fails ends here: no mark, so all are processed again
    keep(mark, now)
    beside(root/'build'/'extra')
    shutil.rmtree(made, ignore_errors=True) # what is gone stays gone, and every page is written with today's sidebar
    # one process: with several, Sphinx may drop a failing one's pages without a word, and node servers outlive the build
    failed = sphinx(['-b', 'html', '-c', str(root/'tools'/'site'), '-d', str(root/'build'/'doctrees'), '-j', '1', '-W', '--keep-going', '-q', str(src), str(made)])
    if failed:
        shutil.rmtree(root/'build'/'doctrees', ignore_errors=True) # else the next build would not read the faulty page again
        raise SystemExit('the site has the faults that are listed above')
    lost = sorted(n for n in names if not (made/f'{address(n)}.html').is_file())
    if lost: raise SystemExit(f'Sphinx wrote no page for {lost}, and did not say why; build again with --fresh')
    place()
    print(f'{len(names)} pages in {out}: open {out}/index.html, or `make docs-serve`')

if __name__ == '__main__':
    args = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--fresh', action='store_true', help='build everything again')
    try: build(**vars(args.parse_args()))
    except OSError as e: sys.exit(f'tools/docs.py: {e}')
