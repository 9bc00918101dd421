"The documentation's site as a reader meets it: `make docs` has built it, a real browser reads every page of it."
import json, re, subprocess, sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlparse
import pytest
from browser import Served, chrome, need, resize, root, shoot

site = root/'_docs'
pages = sorted(p.relative_to(site).as_posix() for p in site.glob('*.html')) if site.is_dir() else []
HELPERS = {'search.html', 'genindex.html'}

def test_site_is_there(): need(pages, 'the site is not built: `make docs`')

# --- read as text ---------------------------------------------------------------------------------------------------

class Page(HTMLParser):
    "The anchors, addresses and symbols' links of a page."
    def __init__(self, path):
        super().__init__()
        self.ids, self.refs, self.sources, self.symbol = set(), [], [], None
        self.feed(path.read_text(encoding='utf-8'))
    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if a.get('id'): self.ids.add(a['id'])
        if a.get('class') == 'symbol': self.symbol = a['id']
        if tag == 'a' and 'source-link' in a.get('class', ''): self.sources.append((self.symbol, a['href']))
        self.refs += [a[k] for k in ('href', 'src') if a.get(k)]

@pytest.fixture(scope='module')
def parsed(): return {p: Page(site/p) for p in pages}

@pytest.mark.parametrize('name', pages)
def test_links_and_anchors_lead_somewhere(name, parsed):
    dead = []
    for ref in parsed[name].refs:
        url = urlparse(ref)
        if url.scheme or url.netloc or ref.startswith('data:'): continue
        target = (site/name).parent/unquote(url.path) if url.path else site/name
        if target.is_dir(): target = target/'index.html'
        anchor = unquote(url.fragment)
        if not target.is_file(): dead.append(ref)
        elif anchor and target.name in parsed and anchor not in parsed[target.name].ids: dead.append(ref)
    assert not dead

@pytest.mark.parametrize('name', pages)
def test_page_is_light(name): assert (site/name).stat().st_size < 1_500_000

SYMBOLS = """
import importlib, json
from digitclf import _modidx
out = []
for mod, syms in _modidx.d['syms'].items():
    for sym, (page, _) in syms.items():
        name = sym.removeprefix(mod + '.')
        if not any(part.startswith('_') for part in name.split('.')): out.append((name, page))
print(json.dumps(out))
"""

def test_every_public_symbol_has_its_place(parsed):
    need(pages, 'the site is not built: `make docs`')
    done = subprocess.run([sys.executable, '-c', SYMBOLS], capture_output=True, text=True, check=True)
    symbols = json.loads(done.stdout)
    assert len(symbols) > 300
    lost = [name for name, page in symbols if page.split('#')[1] not in parsed[page.split('#')[0]].ids]
    assert not lost
    for name in {page.split('#')[0] for _, page in symbols}:
        text = (site/name).read_text(encoding='utf-8')
        mine = [n for n, page in symbols if page.split('#')[0] == name]
        assert len(parsed[name].sources) >= len(mine), f'{name}: {len(parsed[name].sources)} links to sources for {len(mine)} symbols'
        assert all(re.search(r'/digitclf/\w+\.py#L\d+$', o) for _, o in parsed[name].sources)
        assert text.count('class="symbol"') >= len(mine)

def test_sources_are_where_the_links_say(parsed):
    for name in pages:
        for symbol, link in parsed[name].sources:
            path, line = re.search(r'/(digitclf/\w+\.py)#L(\d+)$', link).groups()
            lines = (root/path).read_text(encoding='utf-8').splitlines()
            near = '\n'.join(lines[int(line) - 1:int(line) + 3])
            assert re.search(rf"(?:def|class) {symbol.split('.')[-1]}\b", near, re.I), f'{symbol}: {link}'

def test_pages_link_to_their_notebooks():
    need(pages, 'the site is not built: `make docs`')
    made = [p for p in pages if p not in HELPERS]
    assert len(made) == len(list((root/'nbs').glob('*.ipynb')))
    for name in made:
        found = re.findall(r'href="(notebooks/[\w.]+\.ipynb)"', (site/name).read_text(encoding='utf-8'))
        assert found and (site/found[0]).is_file(), name

# --- read in a browser ----------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def address():
    need(pages, 'the site is not built: `make docs`')
    with Served(site) as url: yield url

@pytest.fixture(scope='module')
def browser(address, tmp_path_factory):
    driver = chrome(tmp_path_factory.mktemp('profile'))
    yield driver
    driver.quit()

def failures(driver, address):
    "What the console complained of, and every request that failed or went elsewhere, since the last call."
    said = [f"{o['level']}: {o['message']}" for o in driver.get_log('browser') if o['level'] in ('SEVERE', 'WARNING')]
    for o in driver.get_log('performance'):
        m = json.loads(o['message'])['message']
        p = m['params']
        if m['method'] == 'Network.requestWillBeSent' and not p['request']['url'].startswith((address, 'data:', 'blob:', 'about:')): said.append(f"request to {p['request']['url']}")
        if m['method'] == 'Network.responseReceived' and p['response']['status'] >= 400: said.append(f"{p['response']['status']} {p['response']['url']}")
        if m['method'] == 'Network.loadingFailed' and not p.get('canceled'): said.append(f"failed: {p.get('errorText')}")
    return said

TEXT = """const b = document.querySelector('article, main').cloneNode(true);
b.querySelectorAll('pre, code, script, style, .katex').forEach(e => e.remove()); return b.textContent"""
RAW = re.compile(r'```|:::|\{\.callout|\{target=|\{\.source|^#\|| \$\$|\]\([\w#.]|\{(?:note|tip|toctree|admonition|div)\}|^#{2,5} ', re.M)

@pytest.mark.parametrize('name', pages)
def test_page_in_a_browser(browser, address, name):
    resize(browser, 1400, 1000)
    failures(browser, address)
    browser.get(f'{address}/{name}')
    if name == 'draw.html': wait(browser, "[...document.querySelectorAll('.draw-card')].every(e => e.dataset.state == 'idle')")
    assert not failures(browser, address)
    text = browser.execute_script(TEXT)
    assert len(text) > (0 if name in HELPERS else 200)
    assert 'Traceback (most recent call last)' not in browser.execute_script('return document.body.textContent')
    raw = RAW.search(text)
    assert raw is None, f'unrendered: {text[max(0, raw.start() - 60):raw.end() + 60]!r}'
    broken = browser.execute_script("return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert not broken
    resize(browser, 390, 844)
    wide = browser.execute_script('return document.documentElement.scrollWidth')
    assert wide <= 390, f'{wide} pixels wide on a telephone of 390'
    assert not failures(browser, address)

def wait(driver, js, seconds=20):
    "Wait until an expression is true in the page, and return it."
    from selenium.webdriver.support.ui import WebDriverWait
    return WebDriverWait(driver, seconds).until(lambda d: d.execute_script(f'return {js}'))

def test_search_finds(browser, address):
    resize(browser, 1400, 1000)
    browser.get(f'{address}/search.html?q=fit_one_cycle')
    found = wait(browser, "[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href')).filter(Boolean)")
    assert any(o.startswith('schedules.html') for o in found), found
    shoot(browser, 'search')

def test_dark_mode(browser, address):
    resize(browser, 1400, 1000)
    browser.get(f'{address}/schedules.html')
    colours = {}
    for mode in ('light', 'dark'):
        browser.find_element('css selector', '.bd-header .theme-switch-button').click()
        wait(browser, "document.querySelector('.bd-header .dropdown-menu.show') !== null")
        browser.find_element('css selector', f'.bd-header .theme-change-button[data-mode={mode}]').click()
        assert browser.execute_script('return document.documentElement.dataset.theme') == mode
        colours[mode] = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    shoot(browser, 'library-dark')
    assert colours['light'] != colours['dark']
    browser.refresh()
    assert browser.execute_script('return document.documentElement.dataset.theme') == 'dark', 'the choice is forgotten'
    browser.execute_script('localStorage.clear()')

def test_code_is_copied(browser, address):
    resize(browser, 1400, 1000)
    browser.get(f'{address}/schedules.html')
    browser.execute_cdp_cmd('Browser.grantPermissions', dict(origin=address, permissions=['clipboardReadWrite', 'clipboardSanitizedWrite']))
    cells = browser.find_elements('css selector', 'div.cell_input div.highlight')
    buttons = browser.find_elements('css selector', 'button.copybtn')
    assert len(buttons) >= len(cells) > 10
    from selenium.webdriver import ActionChains
    button = browser.find_element('css selector', 'div.cell:not(.tag_imports) div.cell_input button.copybtn') # what is folded has no text to copy
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    ActionChains(browser).move_to_element(button).click().perform()
    wait(browser, "document.querySelector('button.copybtn.success') !== null")
    said = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))")
    assert said.strip() and said.strip() in browser.execute_script("return [...document.querySelectorAll('div.highlight pre')].map(e => e.textContent).join('\\n')")

def test_formulas_are_set(browser, address):
    browser.get(f'{address}/losses.html')
    assert browser.execute_script("return document.querySelectorAll('article .katex').length") > 0
    assert browser.execute_script("return document.querySelectorAll('.katex-error').length") == 0
    assert browser.execute_async_script("document.fonts.ready.then(all => arguments[0]([...all].some(f => f.family.includes('KaTeX') && f.status == 'loaded')))")

@pytest.mark.parametrize('name,page,width', [('front', 'index.html', 1400), ('library', 'learner.html', 1400), ('walkthrough', 'mnist_from_scratch.html', 1400),
                                             ('front-phone', 'index.html', 390), ('walkthrough-phone', 'mnist_from_scratch.html', 390)])
def test_pictures_of_pages_are_kept(browser, address, name, page, width):
    resize(browser, width, 1000 if width > 500 else 844)
    browser.get(f'{address}/{page}')
    browser.execute_script("document.documentElement.dataset.theme = 'light'")
    shoot(browser, name)

# --- the page Draw: a pen in the browser's own input pipeline, and the nets that run there ---------------------------

SEVEN = [[(.28, .25), (.45, .24), (.6, .23), (.72, .24), (.66, .38), (.58, .52), (.51, .66), (.45, .82)]]
STROKES = [('digits', '7', SEVEN), ('digits', '1', [[(.52, .15), (.51, .4), (.5, .65), (.49, .88)]]),
           ('digits', '0', [[(.5, .15), (.35, .22), (.27, .4), (.27, .6), (.35, .8), (.5, .87), (.65, .8), (.73, .6), (.73, .4), (.65, .22), (.5, .15)]]),
           ('characters', '一', [[(.2, .52), (.4, .5), (.6, .49), (.8, .5)]]),
           ('characters', '十', [[(.2, .48), (.5, .47), (.8, .46)], [(.5, .18), (.5, .5), (.5, .85)]]),
           ('characters', '三', [[(.28, .22), (.5, .21), (.72, .2)], [(.32, .5), (.5, .49), (.68, .49)], [(.18, .8), (.5, .79), (.82, .8)]])]

def pen(driver, card, strokes, touch=False):
    "Draw on a card's pad as a mouse or a finger does: through the browser's own input."
    left, top, side = driver.execute_script(f"const e = document.querySelector('[data-draw={card}] .draw-pad'); e.scrollIntoView({{block: 'center'}});"
                                            "const r = e.getBoundingClientRect(); return [r.left, r.top, r.width]")
    for stroke in strokes:
        points = [dict(x=left + side*x, y=top + side*y) for x, y in stroke]
        if touch:
            send = lambda kind, at: driver.execute_cdp_cmd('Input.dispatchTouchEvent', dict(type=kind, touchPoints=at))
            send('touchStart', points[:1])
            for p in points[1:]: send('touchMove', [p])
            send('touchEnd', [])
        else:
            send = lambda kind, **at: driver.execute_cdp_cmd('Input.dispatchMouseEvent', dict(type=kind, **at))
            send('mouseMoved', **points[0])
            send('mousePressed', **points[0], button='left', clickCount=1)
            for p in points[1:]: send('mouseMoved', **p, button='left')
            send('mouseReleased', **points[-1], button='left', clickCount=1)

def answer(driver, card):
    "What the net says once it has seen all that was drawn."
    data = f"document.querySelector('[data-draw={card}]').dataset"
    wait(driver, f"['error', 'no-nets'].includes({data}.state) || {data}.state == 'ready' && {data}.version == {data}.answered", 60)
    return driver.execute_script(f'return {{...{data}}}')

@pytest.mark.parametrize('card,label,strokes', STROKES, ids=[f'{c}-{i}' for i, (c, *_) in enumerate(STROKES)])
def test_what_is_drawn_is_read(browser, address, card, label, strokes):
    need((site/'draw'/'models.json').is_file(), 'the site has no nets: `make docs`')
    resize(browser, 1400, 1000)
    failures(browser, address)
    browser.get(f'{address}/draw.html')
    assert answer_is_empty(browser, card)
    pen(browser, card, strokes)
    got = answer(browser, card)
    assert (got['state'], got['answer']) == ('ready', label)
    bars = browser.execute_script(f"return [...document.querySelectorAll('[data-draw={card}] .draw-bars li')].map(e => e.dataset.label)")
    assert label in bars and len(bars) == dict(digits=10, characters=15)[card]
    if label in ('7', '三'): shoot(browser, f'draw-{card}')
    browser.find_element('css selector', f'[data-draw={card}] [data-do=clear]').click()
    assert answer(browser, card)['answer'] == ''
    assert not failures(browser, address), 'nothing is sent anywhere, nothing fails'

def answer_is_empty(driver, card):
    return not driver.execute_script(f"return document.querySelector('[data-draw={card}]').dataset.answer || ''")

def test_a_finger_on_a_telephone(browser, address):
    need((site/'draw'/'models.json').is_file(), 'the site has no nets: `make docs`')
    resize(browser, 390, 844)
    browser.execute_cdp_cmd('Emulation.setTouchEmulationEnabled', dict(enabled=True))
    try:
        browser.get(f'{address}/draw.html')
        pen(browser, 'digits', SEVEN, touch=True)
        assert answer(browser, 'digits')['answer'] == '7'
        shoot(browser, 'draw-phone')
    finally: browser.execute_cdp_cmd('Emulation.setTouchEmulationEnabled', dict(enabled=False))
