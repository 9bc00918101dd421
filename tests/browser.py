"A real browser for the tests: Debian's Chromium, headless, told to talk to nobody but us."
import os, shutil, threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
shots = root/'runs'/'screenshots'
FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--disable-quic', '--no-first-run', '--disable-dev-shm-usage', '--hide-scrollbars', '--window-size=1400,1000']

def need(there, what):
    "Skip with a reason; where CI promises a browser and a site, fail instead."
    if not there: (pytest.fail if os.environ.get('DIGITCLF_BROWSER') else pytest.skip)(what)

def chrome(profile):
    "A browser with an empty profile that logs its console and its requests."
    need(shutil.which('chromium') and shutil.which('chromedriver'), 'no Chromium here (Debian: apt install chromium chromium-driver)')
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in (*FLAGS, f'--user-data-dir={profile}'): options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', dict(browser='ALL', performance='ALL'))
    driver = webdriver.Chrome(options=options, service=Service(shutil.which('chromedriver')))
    driver.set_page_load_timeout(60)
    return driver

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

class Served:
    "A folder at an address of this machine, while the `with` block lasts."
    def __init__(self, folder): self.folder = folder
    def __enter__(self):
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(self.folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{self.server.server_address[1]}'
    def __exit__(self, *exc): self.server.shutdown(), self.server.server_close()

def resize(driver, width, height=900):
    "Give the page another width, as a telephone has."
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 600))

def shoot(driver, name):
    "Keep a picture of what the browser shows."
    shots.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(str(shots/f'{name}.png'))
