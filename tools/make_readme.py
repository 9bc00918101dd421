"Make README.md from nbs/index.ipynb: its prose, its code with a fence, its stored text outputs. `--check` only compares."
import re, sys
from pathlib import Path
import nbformat

root = Path(__file__).resolve().parent.parent

def outputs(cell):
    "The text that a cell showed, as a code block."
    for o in cell.get('outputs', []):
        text = o.get('text') if o.output_type == 'stream' else o.get('data', {}).get('text/plain')
        if text and not text.startswith('<'): yield '```\n' + text.rstrip('\n') + '\n```'

def readme():
    "README.md as text."
    parts = []
    for cell in nbformat.read(root/'nbs'/'index.ipynb', 4).cells:
        hidden = re.search(r'^#\|\s*(hide|default_exp)', cell.source, re.M)
        if hidden: continue
        if cell.cell_type == 'markdown': parts.append(re.sub(r'\]\((?!https?:|#)([\w/.-]+)\)', r'](nbs/\1)', cell.source).replace('](nbs/../', ']('))
        elif cell.cell_type == 'code': parts += ['```python\n' + re.sub(r'^#\|.*\n', '', cell.source, flags=re.M) + '\n```', *outputs(cell)]
    return '<!-- made from nbs/index.ipynb by `make readme`: edit that -->\n\n' + '\n\n'.join(parts) + '\n'

if __name__ == '__main__':
    out, new = root/'README.md', readme()
    if '--check' in sys.argv: sys.exit(0 if out.read_text(encoding='utf-8') == new else 'README.md is older than nbs/index.ipynb: run `make readme`')
    out.write_text(new, encoding='utf-8')
