"Planet: the stand-in's promises, and bad input: each is a clear error, and nothing is left half made."
import shutil
from pathlib import Path
import numpy as np, pandas as pd, pytest
from PIL import Image
from digitclf import planet as module
from digitclf.chips import PLANET_TAGS, Scene, power_noise
from digitclf.planet import planet, planet_counts, planet_tag_sets, read_planet, scene_plan, write_planet_standin
from digitclf.scenes import draw_chip, draw_scene
from digitclf.sources import FetchError

@pytest.fixture(scope='module')
def made(tmp_path_factory): return write_planet_standin(tmp_path_factory.mktemp('planet')/'made', n=9, size=32)

@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    "No key, no cache."
    for k in ('KAGGLE_API_TOKEN', 'KAGGLE_USERNAME', 'KAGGLE_KEY', 'KAGGLE_CONFIG_DIR', 'XDG_CONFIG_HOME'): monkeypatch.delenv(k, raising=False)
    monkeypatch.setenv('HOME', str(tmp_path/'me'))
    monkeypatch.setenv('USERPROFILE', str(tmp_path/'me'))
    monkeypatch.setenv('DIGITCLF_HOME', str(tmp_path/'home'))

def folder(tmp_path, csv, pics=('train_0', 'train_1'), **files):
    (tmp_path/'own'/'train-jpg').mkdir(parents=True)
    if csv is not None: (tmp_path/'own'/'train_v2.csv').write_bytes(csv if isinstance(csv, bytes) else csv.encode())
    for p in pics: Image.new('RGB', (8, 8)).save(tmp_path/'own'/'train-jpg'/f'{p}.jpg')
    for name, text in files.items(): (tmp_path/'own'/f'{name}.csv').write_text(text)
    return tmp_path/'own'

HEAD = 'image_name,tags\n'
GOOD = HEAD + 'train_0,clear primary\ntrain_1,cloudy\n'
BAD = [
    ('no csv', None, FileNotFoundError, 'the folder has train-jpg'),
    ('empty csv', '', ValueError, "can't be read as a CSV file"),
    ('bytes', bytes(range(128, 256)), ValueError, "can't be read as a CSV file"),
    ('header alone', HEAD, ValueError, 'a header and no rows'),
    ('no tags column', 'image_name,labels\ntrain_0,clear\n', ValueError, "no column 'tags'; its columns are image_name, labels"),
    ('no name column', 'name,tags\ntrain_0,clear\n', ValueError, "no column 'image_name'"),
    ('too many fields', GOOD + 'a,b,c,d\n', ValueError, "can't be read as a CSV file"),
    ('empty tags', HEAD + 'train_0,clear\ntrain_1,\n', ValueError, 'no tags in rows 1; '),
    ('blank tags', HEAD + 'train_0,"  "\ntrain_1,clear\n', ValueError, 'no tags in rows 0; '),
    ('empty name', GOOD + ',clear\n', ValueError, 'no image_name in rows 2; '),
    ('unknown tag', HEAD + 'train_0,clear\ntrain_1,clear forest\n', ValueError, "in rows 1; the first reads 'train_1', 'clear forest'"),
    ('name twice', GOOD + 'train_0,clear\n', ValueError, 'came before in rows 2; '),
    ('name twice, once with its ending', GOOD + 'train_1.jpg,clear\n', ValueError, 'came before in rows 2; '),
    ('name with a folder', HEAD + '../own/train_0,clear\n', ValueError, 'a folder in it in rows 0; '),
    ('picture missing', GOOD + 'train_5,clear\n', ValueError, 'in rows 2; the first reads \'train_5\''),
    ('many missing', HEAD + ''.join(f'x_{i},clear\n' for i in range(9)), ValueError, 'in rows 0, 1, 2, 3, 4, … (9 in all)'),
]

@pytest.mark.parametrize('csv,error,says', [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_folder(tmp_path, csv, error, says):
    own = folder(tmp_path, csv)
    before = {p: p.read_bytes() for p in own.rglob('*') if p.is_file()}
    for read in (read_planet, planet):
        with pytest.raises(error) as e: read(own)
        assert says in str(e.value)
    assert {p: p.read_bytes() for p in own.rglob('*') if p.is_file()} == before

def test_no_pictures_and_no_folder(tmp_path):
    own = folder(tmp_path, GOOD)
    shutil.rmtree(own/'train-jpg')
    with pytest.raises(FileNotFoundError, match='train-jpg is not there'): read_planet(own)
    with pytest.raises(FileNotFoundError, match='neither is its folder'): planet(tmp_path/'gone')

@pytest.mark.parametrize('names', [('train_0', 'train_1'), ('train_0.jpg', 'train_1.jpg'), ('train_0', 'train_1.JPG'), (' train_0', 'train_1.jpeg')])
def test_names_with_and_without_suffix(tmp_path, names):
    t = read_planet(folder(tmp_path, HEAD + f'{names[0]},clear primary clear\n{names[1]},cloudy\n'))
    assert [Path(o).name for o in t.id] == ['train_0.jpg', 'train_1.jpg'] and all(Path(o).is_file() for o in t.id)
    assert t.tags.tolist() == ['clear primary', 'cloudy']
    assert 'group' not in t and t.attrs['source'] == 'chips in the layout of Planet'

def test_scenes_must_cover_all(tmp_path):
    with pytest.raises(ValueError, match='no scene for rows 1'): read_planet(folder(tmp_path, GOOD, scenes='image_name,scene\ntrain_0,4\n'))

def test_real_set_is_known_by_its_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'planet_tag_sets', lambda: pd.DataFrame(dict(tags=['clear primary', 'cloudy'], n=[1, 1])))
    assert read_planet(folder(tmp_path, GOOD)).attrs['source'] == 'Planet Amazon'

def test_figures_of_the_real_set():
    sets = planet_tag_sets()
    assert sets.n.sum() == 40_479 and sets.tags.is_unique and set(' '.join(sets.tags).split()) == set(PLANET_TAGS)
    assert planet_counts(sets.tags, sets.n)[['primary', 'agriculture', 'cloudy', 'slash_burn']].tolist() == [37_513, 12_315, 2_089, 209]

def test_standin(made, tmp_path):
    t = read_planet(made)
    assert len(t) == 9 and t.attrs['source'] == 'Planet (drawn stand-in)' and t.group[0] == 'scene 0'
    again = write_planet_standin(tmp_path/'again', n=3, size=32, workers=1)
    for p in (again/'train-jpg').iterdir(): assert p.read_bytes() == (made/'train-jpg'/p.name).read_bytes()
    assert [len(list((write_planet_standin(tmp_path/f'n{n}', n=n, size=16)/'train-jpg').iterdir())) for n in (1, 2)] == [1, 2]

def test_standin_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(*args): raise RuntimeError('power cut')
    monkeypatch.setattr(module, 'draw_scene', fail)
    with pytest.raises(RuntimeError): write_planet_standin(tmp_path/'half', n=4, size=32)
    assert not list(tmp_path.iterdir())

@pytest.mark.parametrize('kw', [dict(n=0), dict(n=-1), dict(n=10**6), dict(size=0), dict(size=15), dict(size=513), dict(seed=-1)], ids=str)
def test_bad_sizes(tmp_path, kw):
    with pytest.raises(ValueError): write_planet_standin(tmp_path/'bad', **dict(n=1, size=32) | kw)
    assert not list(tmp_path.iterdir())

def test_no_data_and_no_standin(tmp_path):
    with pytest.raises(FetchError, match='(?s)no key for Kaggle.*By hand'): planet(standin=False)
    with pytest.warns(UserWarning, match='drawn chips'): assert len(planet(n=2, size=32, progress=False)) == 2
    assert len(planet(n=2, size=32, standin=True)) == 2 # the second time from the cache

@pytest.mark.parametrize('tags,says', [('clear forest', "no tag 'forest'"), ('primary', 'exactly one of'), ('clear cloudy', 'exactly one of'),
                                       ('cloudy primary', 'nothing else can be seen'), ('', 'exactly one of')])
def test_bad_tags(tags, says):
    with pytest.raises(ValueError, match=says): draw_chip(tags, 32)

def test_bad_scenes():
    with pytest.raises(ValueError, match='3 chips for 2 x 2 places'): draw_scene(['clear']*3, (2, 2), 32)
    with pytest.raises(ValueError, match='16 to 512'): draw_chip('clear primary', 8)
    with pytest.raises(ValueError, match='32, 64, 128, 256 or 512'): Scene(['clear'], size=48)

@pytest.mark.parametrize('tags', [t for t in planet_tag_sets().tags if len(set(t.split()) & {'clear', 'haze', 'cloudy', 'partly_cloudy'}) == 1][::9])
def test_sets_can_be_drawn(tags):
    p = draw_chip(tags, 32, (len(tags), 1))
    assert p.shape == (32, 32, 3) and p.dtype == np.uint8 and np.array_equal(p, draw_chip(tags, 32, (len(tags), 1)))

def test_neighbours_show_only_their_own_tags():
    "All tags that can stand together, in one chip of four: the other three stay as they were."
    busy = 'agriculture artisinal_mine bare_ground blooming blow_down conventional_mine cultivation habitation road selective_logging slash_burn water'
    a, b = (draw_scene([first] + ['clear primary']*3, (2, 2), 64, 11).astype(int) for first in (f'clear primary {busy}', 'clear primary'))
    changed = (np.abs(a - b).max(-1) > 12).mean((1, 2))
    assert changed[0] > .5 and changed[1:].max() < .01

def test_same_scene_at_every_size():
    a, b = (draw_scene(['clear primary water', 'agriculture clear primary'], (1, 2), n, 5).astype(float) for n in (64, 256))
    small = b.reshape(2, 64, 4, 64, 4, 3).mean((2, 4))
    assert np.corrcoef(a.ravel(), small.ravel())[0, 1] > .85

def test_plans():
    assert scene_plan(5) == scene_plan(5) != scene_plan(5, seed=1)
    tags = [t for i in range(400) for t in scene_plan(i)[1]]
    share = planet_counts(tags)/len(tags)
    assert abs(share['primary'] - .927) < .05 and abs(share['agriculture'] - .304) < .08

def test_noise_does_not_depend_on_where_it_is_cut():
    a = power_noise(np.random.default_rng(1), (2, 3), 64, 4, 32)
    assert a.shape == (128, 192) and a.dtype == np.float32 and abs(a.std() - 1) < .2
