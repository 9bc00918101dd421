"Packages of npm's registry for the site, each with its SHA-512 as the registry gave it when we chose it."
import base64, hashlib, re, shutil, subprocess, tarfile, tempfile
from pathlib import Path

def npm_package(
    spec, # As npm calls it: name@version
    integrity, # `sha512-…` in base64, as in npm's lock files
    members, # Files wanted, as in the package: `dist/katex.min.css`; a folder's name brings all below it
): # Their bytes, by name
    "Fetch a package with the npm client, check it, and read files out of it."
    if (npm := shutil.which('npm')) is None: raise OSError(f'{spec} is fetched with the npm client, which is not on PATH (Debian: apt install npm)')
    with tempfile.TemporaryDirectory() as tmp:
        done = subprocess.run([npm, 'pack', spec, '--pack-destination=.', '--ignore-scripts', '--loglevel=error'], cwd=tmp, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode: raise OSError(f"npm could not fetch {spec}: {' '.join(re.sub(r'npm (error|ERR!)', '', done.stderr).split())[:300]}")
        packed = next(Path(tmp).glob('*.tgz'))
        has = 'sha512-' + base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if has != integrity: raise OSError(f'{spec} is not the package we know: {has[:24]}…, expected {integrity[:24]}…')
        with tarfile.open(packed) as t:
            files = {m.name.removeprefix('package/'): m for m in t.getmembers() if m.isfile()}
            found = {n: t.extractfile(m).read() for n, m in files.items() if any(n == o or n.startswith(o.rstrip('/') + '/') for o in members)}
    missing = [o for o in members if not any(n == o or n.startswith(o.rstrip('/') + '/') for n in found)]
    if missing: raise OSError(f'{spec} has no {missing[0]}')
    return found
