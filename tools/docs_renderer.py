"How the site shows a symbol: its name, a link to its source, its signature, what it does, its docments as a table; for a class its methods, too."
import ast, inspect, re
from functools import cache
from importlib import import_module
from pathlib import Path
from fastcore.docments import docments
from nbdev.config import get_config
from nbdev.doclinks import patch_name

EMPTY, HEAD = inspect.Parameter.empty, ('argument', 'type', 'default', 'meaning')

DEFS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

@cache
def lines(mod):
    "Line of each definition in a module's file, by qualified name, decorators included; a patched method by its class's name."
    tree = ast.parse(Path(import_module(mod).__file__).read_text(encoding='utf-8'))
    first = lambda o: min([o.lineno, *(d.lineno for d in o.decorator_list)])
    found = {patch_name(o): first(o) for o in tree.body if isinstance(o, DEFS)}
    return found | {f'{c.name}.{o.name}': first(o) for c in tree.body if isinstance(c, ast.ClassDef) for o in c.body if isinstance(o, DEFS)}

def source(mod, name):
    "Where the code of a symbol is read."
    cfg = get_config()
    return f"{cfg.git_url}/blob/{cfg.branch}/{mod.replace('.', '/')}.py#L{lines(mod)[name]}"

@cache
def modules():
    "Module by the qualified name of what it defines, patched methods included."
    lib = get_config().lib_name
    syms = import_module(f'{lib}._modidx').d['syms']
    return {sym.removeprefix(f'{mod}.'): mod for mod, names in syms.items() for sym in names}

def default(value):
    "A default as one would type it: functions and classes by name."
    if isinstance(value, (tuple, list)) and any(hasattr(o, '__name__') for o in value):
        return '({})'.format(', '.join(map(default, value)) + (',' if len(value) == 1 else ''))
    return getattr(value, '__name__', None) or ('...' if repr(value).startswith('<') else repr(value))

def annotation(anno):
    "An annotation as one would type it, without its modules."
    if anno in (EMPTY, None): return '' if anno is EMPTY else 'None'
    text = anno if isinstance(anno, str) else inspect.formatannotation(anno)
    return re.sub(r'\b(?:[a-zA-Z_]\w*\.)+(?=[A-Za-z_])', '', text.strip("'"))

def parameter(p):
    "A parameter as it stands in the signature."
    star = {p.VAR_POSITIONAL: '*', p.VAR_KEYWORD: '**'}.get(p.kind, '')
    anno = annotation(p.annotation)
    return star + p.name + (f': {anno}' if anno else '') + ('' if p.default is EMPTY else f'{" = " if anno else "="}{default(p.default)}')

def signature(name, sig, width=100):
    "A signature on one line if it is short, else a parameter a line."
    parts, seen = [], False
    for p in sig.parameters.values():
        if p.name == 'self': continue
        if p.kind is p.KEYWORD_ONLY and not seen: parts.append('*')
        seen = seen or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        parts.append(parameter(p))
    ret = annotation(sig.return_annotation)
    end = f') -> {ret}' if ret else ')'
    line = f"{name}({', '.join(parts)}{end}"
    return line if len(line) <= width else f'{name}(\n' + ''.join(f'    {p},\n' for p in parts) + end

def cell(text):
    "Text that keeps a table in one piece."
    return re.sub(r'\s+', ' ', str(text)).replace('|', '\\|').strip()

def table(sym, sig):
    "The docments of a function or class as a table; empty when there are none."
    doc = docments(sym, full=True)
    said = {n: d for n, d in doc.items() if d.get('docment') not in (None, EMPTY)}
    if not said: return ''
    code = lambda text: f'`{cell(text)}`'.replace('\\|', '|').replace('|', '\\|') if text else ''
    rows = [(f'`{parameter(p.replace(annotation=EMPTY, default=EMPTY))}`', code(annotation(p.annotation)), '' if p.default is EMPTY else code(default(p.default)),
             cell(said.get(n, {}).get('docment', ''))) for n, p in sig.parameters.items() if n != 'self' and (n in said or p.kind is not p.VAR_KEYWORD)]
    if 'return' in said: rows.append(('**returns**', code(annotation(sig.return_annotation)), '', cell(said['return']['docment'])))
    used = [i for i, head in enumerate(HEAD) if i in (0, 3) or any(r[i] for r in rows)]
    line = lambda r: '| ' + ' | '.join(r[i] for i in used) + ' |'
    return '\n'.join([line(HEAD), '|' + '---|'*len(used), *map(line, rows)])

def member(obj, name):
    "What a name is in a module or class: properties as properties, class methods bound."
    static = inspect.getattr_static(obj, name)
    return static if isinstance(static, property) else getattr(obj, name)

def own_methods(cls):
    "Names of the public methods and properties in the class's own body, in its order."
    tree = ast.parse(inspect.getsource(cls)).body[0]
    return [n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and not n.name.startswith('_')]

class Renderer:
    "nbdev's `show_doc` asks for this: the Markdown of a symbol."
    def __init__(self, sym, name=None, title_level=3):
        fn = sym.fget if isinstance(sym, property) else getattr(sym, '__func__', sym)
        self.name, self.level = name or getattr(fn, '__qualname__', getattr(fn, '__name__', str(fn))), title_level
        self.mod = modules().get(self.name)

    def real(self):
        "The symbol as the library has it: the page's own copy has no file."
        obj = import_module(self.mod)
        head, *rest = self.name.split('.')
        if rest and not hasattr(obj, head): # a patched method: its class lives in another module
            obj = import_module(modules()[head])
        for part in (head, *rest): obj = member(obj, part)
        return obj

    def one(self, name, obj, level):
        "The Markdown of one symbol, without what belongs to it."
        kind = 'property' if isinstance(obj, property) else ''
        fn = obj.fget if kind else obj
        fn = inspect.unwrap(fn) if not isinstance(fn, type) else fn
        code = getattr(fn, '__func__', fn)
        parts = ['---'] if level <= 3 else []
        parts.append(f'[source]({source(self.mod, name)}){{.source-link}}')
        parts.append('#'*level + f' {name}')
        sig = None
        try: sig = inspect.signature(fn)
        except (ValueError, TypeError): pass
        if sig is not None and isinstance(fn, type): sig = sig.replace(return_annotation=EMPTY)
        if kind: parts.append(f"```python\n{name}" + (f": {annotation(sig.return_annotation)}" if annotation(sig.return_annotation) else '') + "  # property\n```")
        elif sig is not None: parts.append(f'```python\n{signature(name, sig)}\n```')
        doc = inspect.getdoc(code) if not isinstance(fn, type) or '__doc__' in vars(fn) else None
        if doc and not (isinstance(fn, type) and doc.startswith(f'{fn.__name__}(')): parts.append(doc)
        if sig is not None and not kind:
            tbl = table(code, sig)
            if tbl: parts.append(tbl)
        return '\n\n'.join(parts)

    def _repr_markdown_(self):
        if self.mod is None: return ''
        obj = self.real()
        parts = [self.one(self.name, obj, self.level)]
        if isinstance(obj, type):
            for m in own_methods(obj): parts.append(self.one(f'{self.name}.{m}', member(obj, m), self.level + 1))
        return '\n\n'.join(parts)

    def __repr__(self): return f'Renderer({self.name})'
