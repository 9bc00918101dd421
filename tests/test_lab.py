"JupyterLab for real: a server, a browser, a walkthrough, its cells run one by one by the keyboard."
import json, os, shutil, socket, subprocess, sys, time
from urllib.request import urlopen
import pytest
from browser import chrome, need, root, shoot

PAGE, TOKEN = '20_mnist_from_scratch.ipynb', 'a-token-for-this-test'

def upto(nb, word):
    "How many cells stand before and with the first that holds a word."
    return next(i for i, c in enumerate(nb['cells']) if c['cell_type'] == 'code' and word in ''.join(c['source'])) + 1

@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    "A JupyterLab of its own on a copy of the walkthrough, its settings and state in a temporary folder."
    need(shutil.which('chromium') and shutil.which('chromedriver'), 'no Chromium here (Debian: apt install chromium chromium-driver)')
    home = tmp_path_factory.mktemp('lab')
    nb = json.loads((root/'nbs'/PAGE).read_text(encoding='utf-8'))
    for c in nb['cells']: c.update(dict(outputs=[], execution_count=None) if c['cell_type'] == 'code' else {})
    (home/PAGE).write_text(json.dumps(nb), encoding='utf-8')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    env = {**os.environ, 'DIGITCLF_QUICK': '1', 'JUPYTER_CONFIG_DIR': str(home/'config'), 'JUPYTER_RUNTIME_DIR': str(home/'runtime'), 'JUPYTER_DATA_DIR': str(home/'data'),
           'IPYTHONDIR': str(home/'ipython'), 'JUPYTERLAB_SETTINGS_DIR': str(home/'settings'), 'JUPYTERLAB_WORKSPACES_DIR': str(home/'workspaces')}
    log = (home/'log').open('w')
    server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', '--ip=127.0.0.1', f'--port={port}', '--ServerApp.port_retries=0',
        f'--ServerApp.root_dir={home}', f'--IdentityProvider.token={TOKEN}', '--LabApp.news_url=', '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate'],
        env=env, stdout=log, stderr=log)
    try:
        for _ in range(120):
            assert server.poll() is None, (home/'log').read_text()[-3000:]
            try:
                with urlopen(f'http://127.0.0.1:{port}/api/status?token={TOKEN}', timeout=2): break
            except OSError: time.sleep(.5)
        else: pytest.fail('JupyterLab did not start:\n' + (home/'log').read_text()[-3000:])
        yield f'http://127.0.0.1:{port}/lab/tree/{PAGE}?token={TOKEN}', nb
    finally:
        server.terminate()
        try: server.wait(20)
        except subprocess.TimeoutExpired: server.kill()
        log.close()

WATCH = """window.seen = {bars: 0, pictures: 0, errors: []};
const look = () => {
  if (document.querySelector('.jp-OutputArea-output progress')) window.seen.bars++;
  window.seen.pictures = Math.max(window.seen.pictures, document.querySelectorAll('.jp-OutputArea-output img').length);
  document.querySelectorAll('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type="application/vnd.jupyter.error"]').forEach(e => {
    if (e.textContent.includes('Traceback') || e.textContent.includes('Error')) window.seen.errors.push(e.textContent.slice(0, 500)); });
};
new MutationObserver(look).observe(document.body, {childList: true, subtree: true});"""

def test_first_cells_run_in_jupyterlab(lab, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
    address, nb = lab
    driver = chrome(tmp_path/'profile')
    try:
        until = lambda js, seconds: WebDriverWait(driver, seconds, poll_frequency=.2).until(lambda d: d.execute_script(f'return {js}'))
        driver.get(address)
        until("document.querySelectorAll('.jp-Notebook .jp-Cell').length > 3", 90)
        until("document.querySelector('.jp-Notebook-ExecutionIndicator, .jp-NotebookPanel-toolbar') !== null", 60)
        driver.execute_script(WATCH)
        driver.find_elements(By.CSS_SELECTOR, '.jp-Notebook .jp-Cell')[0].click()
        body = driver.switch_to.active_element
        body.send_keys(Keys.ESCAPE)
        for _ in range(upto(nb, 'linear.fit(')):
            driver.switch_to.active_element.send_keys(Keys.SHIFT, Keys.ENTER)
            time.sleep(.15)
        until('window.seen.bars > 0', 240)
        shoot(driver, 'jupyterlab-progress')
        until('window.seen.pictures > 0', 60)
        until("[...document.querySelectorAll('.jp-InputPrompt')].filter(e => e.textContent.includes('*')).length == 0", 240)
        shoot(driver, 'jupyterlab')
        assert driver.execute_script('return window.seen.errors') == []
        table = driver.execute_script("return [...document.querySelectorAll('.jp-OutputArea-output table')].map(t => t.textContent).join(' ')")
        assert 'train_loss' in table and 'accuracy' in table
    finally: driver.quit()
