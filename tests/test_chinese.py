"What a user's Chinese MNIST may have wrong with it: each gets an error that names file, line and remedy, and nothing half made stays."
import os, shutil, warnings, zipfile
from types import SimpleNamespace
import numpy as np, pytest
from PIL import Image
import digitclf.chinese as chinese
from digitclf.chinese import chinese_mnist, read_chinese, write_chinese_standin
from digitclf.sources import FetchError
from digitclf.strokes import CHINESE_NUMERALS, draw_character, writer_hand

DRAWN = 'Chinese MNIST (drawn stand-in)'
ONE = 'input_2_1_3.jpg' # of row 34, line 36: writer 2, sample 1, code 3

@pytest.fixture(scope='module')
def drawn(tmp_path_factory): return write_chinese_standin(tmp_path_factory.mktemp('drawn')/'set', writers=2, samples=2)

@pytest.fixture
def w(drawn, tmp_path, monkeypatch):
    "A copy of the set to spoil, an empty cache, no key for Kaggle."
    monkeypatch.setenv('DIGITCLF_HOME', str(tmp_path/'home'))
    monkeypatch.setattr(chinese, 'kaggle_key', lambda: None)
    top = tmp_path/'set'
    shutil.copytree(drawn, top)
    return SimpleNamespace(at=tmp_path, home=tmp_path/'home', top=top, csv=top/'chinese_mnist.csv', pics=top/'data'/'data')

def pack(folder, to, prefix=''):
    with zipfile.ZipFile(to, 'w') as z:
        for p in sorted(folder.rglob('*')): z.write(p, prefix + p.relative_to(folder).as_posix())
    return to

def edit(w, was, now, count=1):
    data = w.csv.read_bytes()
    assert was in data
    w.csv.write_bytes(data.replace(was, now, count))

def test_the_table(w):
    t = chinese_mnist(w.top)
    assert list(t.columns) == ['id', 'label', 'writer', 'suite_id', 'sample_id', 'code', 'value', 'character']
    assert len(t) == 60 and t.attrs['source'] == DRAWN and set(t.writer) == {'1', '2'}
    assert list(t.label.unique()) == CHINESE_NUMERALS and (t.label == t.character).all()
    row = t.iloc[34]
    assert row.id.endswith(ONE) and (row.suite_id, row.sample_id, row.code, row.value, row.character) == (2, 1, 3, 2, '二')
    im = np.array(Image.open(t.id[0]))
    assert im.shape == (64, 64) and im.dtype == np.uint8 and im.max() > 90 and np.median(im) == 0

def test_the_table_makes_loaders(w):
    from digitclf.blocks import ImageDataLoaders
    from digitclf.splits import GroupSplitter
    dls = ImageDataLoaders.from_df(chinese_mnist(w.top), n_in=1, group_col='writer', splitter=GroupSplitter('writer', .5), vocab=CHINESE_NUMERALS,
                                   cache=False, device='cpu', bs=30)
    assert (dls.train.n, dls.valid.n, dls.n_out, dls.size, dls.source) == (30, 30, 15, (64, 64), DRAWN)
    assert dls.table[dls.table.role == 'train'].writer.nunique() == 1

def test_same_seed_same_files(drawn, tmp_path):
    again, other = [write_chinese_standin(tmp_path/str(s), writers=2, samples=2, seed=s) for s in (42, 7)]
    files = lambda d: {p.relative_to(d).as_posix(): p.read_bytes() for p in d.rglob('*') if p.is_file()}
    assert files(again) == files(drawn)
    assert [k for k, v in files(other).items() if v == files(drawn)[k]] == ['chinese_mnist.csv']

@pytest.mark.skipif(not os.environ.get('DIGITCLF_CHINESE'), reason='DIGITCLF_CHINESE names no archive of Chinese MNIST')
def test_the_real_set(tmp_path):
    t = chinese_mnist(os.environ['DIGITCLF_CHINESE'], home=tmp_path)
    assert len(t) == 15_000 and t.attrs['source'] == 'Chinese MNIST' and t.writer.nunique() == 100
    assert (t.groupby(['writer', 'label']).size() == 10).all() and set(t.label) == set(CHINESE_NUMERALS)
    im = np.array(Image.open(t.id[14_999]).convert('L'))
    assert im.shape == (64, 64) and np.median(im) == 0 < im.max()

def test_no_two_samples_are_alike(drawn):
    seen = [p.read_bytes() for p in (drawn/'data'/'data').iterdir()]
    assert len(set(seen)) == len(seen) == 60

@pytest.mark.parametrize('kw', [dict(writers=0), dict(samples=0), dict(samples=1000), dict(writers=-1)])
def test_numbers_of_a_standin(tmp_path, kw):
    with pytest.raises(ValueError, match='from 1 to 999'): write_chinese_standin(tmp_path/'x', **kw)
    assert not list(tmp_path.iterdir())

def test_unknown_character():
    with pytest.raises(ValueError, match='no strokes for'): draw_character('7', writer_hand(1))

def lose(w): (w.pics/ONE).unlink()
def lose_two(w): lose(w); (w.pics/'input_1_1_1.jpg').unlink()
def rename(w): (w.pics/ONE).rename(w.pics/'input_2_1_03.jpg')
def add(w): shutil.copy(w.pics/ONE, w.pics/'input_3_1_3.jpg')
def cut(w): (w.pics/ONE).write_bytes((w.pics/ONE).read_bytes()[:300])
def empty(w): (w.pics/ONE).write_bytes(b'')
def text(w): (w.pics/ONE).write_text('no picture at all')
def no_csv(w): w.csv.unlink()
def no_pics(w): shutil.rmtree(w.pics)

BAD = [
    (lose, '1 of 60 rows cannot be right. line 36: input_2_1_3.jpg is not there'),
    (lose_two, '2 of 60 rows cannot be right. line 2: input_1_1_1.jpg is not there; line 36'),
    (rename, 'line 36: input_2_1_3.jpg is not there'),
    (add, '1 pictures have no row in chinese_mnist.csv: input_3_1_3.jpg'),
    (cut, 'line 36: input_2_1_3.jpg is cut short'),
    (empty, 'line 36: input_2_1_3.jpg is no JPEG file'),
    (text, 'line 36: input_2_1_3.jpg is no JPEG file'),
    (no_csv, 'no chinese_mnist.csv in it'),
    (no_pics, 'no input_*.jpg in it'),
    (lambda w: w.csv.write_bytes(b''), 'should be there, each once; it has []'),
    (lambda w: w.csv.write_bytes(bytes(range(1, 256))), 'line 2 is not UTF-8'),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,\0,1'), 'a NUL byte in line 4'),
    (lambda w: edit(w, b'code', b'label'), "the columns ['code'] should be there"),
    (lambda w: edit(w, b'value', b'code'), "the columns ['code', 'value'] should be there"),
    (lambda w: w.csv.write_bytes(w.csv.read_bytes().split(b'\n')[0] + b'\n'), 'a header and no rows'),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,2'), 'line 4: 4 cells, the header has 5'),
    (lambda w: edit(w, b'\n1,1,2,1', b'\n\n1,1,2,1'), 'line 4: 0 cells, the header has 5'),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,two,1'), "line 4: code is 'two', not a whole number"),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,2.0,1'), "line 4: code is '2.0', not a whole number"),
    (lambda w: edit(w, b'1,1,2,1', b'1,,2,1'), "line 4: sample_id is '', not a whole number"),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,2,' + b'9'*400), "not a whole number"),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,16,1'), 'line 4: code is 16, not 1 to 15'),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,0,1'), 'line 4: code is 0, not 1 to 15'),
    (lambda w: edit(w, b'1,1,2,1', b'1,1,2,7'), 'line 4: value is 7, which is not that of code 2'),
    (lambda w: edit(w, '一'.encode(), '七'.encode()), "line 4: character is '七', which is not that of code 2"),
    (lambda w: edit(w, b'1,2,2,1', b'1,1,2,1'), 'line 5: suite 1, sample 1, code 2 comes twice'),
    (lambda w: edit(w, b'1,1,2,1', b'1,"1,2,1'), 'cells, the header has 5'),
]

@pytest.mark.parametrize('spoil,why', BAD, ids=[w for _, w in BAD])
def test_bad_set(w, spoil, why):
    spoil(w)
    before = {p: p.read_bytes() for p in w.top.rglob('*') if p.is_file()}
    with pytest.raises(ValueError) as e: chinese_mnist(w.top)
    assert why in str(e.value) and str(w.top) in str(e.value) and 'delete' not in str(e.value)
    with pytest.raises(ValueError) as e: chinese_mnist(pack(w.top, w.at/'a.zip'))
    assert why in str(e.value) and 'a.zip' in str(e.value) and 'othing was unpacked' in str(e.value)
    assert not list(w.home.iterdir()), 'something half made is in the cache'
    assert {p: p.read_bytes() for p in w.top.rglob('*') if p.is_file()} == before, "a user's folder was changed"

@pytest.mark.parametrize('data', [b'', b'PK\3\4 and then nothing', b'chinese'], ids=['empty', 'cut', 'text'])
def test_no_archive(w, data):
    (w.at/'a.zip').write_bytes(data)
    with pytest.raises(ValueError, match='nothing was unpacked'): chinese_mnist(w.at/'a.zip')
    assert not list(w.home.iterdir())

def test_archive_cut_short(w):
    whole = pack(w.top, w.at/'a.zip').read_bytes()
    (w.at/'a.zip').write_bytes(whole[:len(whole)//2])
    with pytest.raises(ValueError, match='nothing was unpacked'): chinese_mnist(w.at/'a.zip')
    assert not list(w.home.iterdir())

def test_archive_with_a_changed_byte(w):
    whole = bytearray(pack(w.top, w.at/'a.zip').read_bytes())
    at = whole.find((w.pics/ONE).read_bytes())
    whole[at + 400] ^= 1
    (w.at/'a.zip').write_bytes(whole)
    with pytest.raises(ValueError, match='nothing was unpacked'): chinese_mnist(w.at/'a.zip')
    assert not list(w.home.iterdir())

def test_archive_that_walks_out(w):
    pack(w.top, w.at/'a.zip')
    with zipfile.ZipFile(w.at/'a.zip', 'a') as z: z.writestr('../../outside.txt', 'x')
    with pytest.raises(ValueError, match='would land outside'): chinese_mnist(w.at/'a.zip')
    assert not list(w.home.iterdir()) and not list(w.at.parent.glob('outside.txt'))

def test_archive_is_unpacked_once(w):
    a = pack(w.top, w.at/'a.zip')
    t = chinese_mnist(a)
    stamps = {o: os.stat(o).st_mtime_ns for o in t.id}
    assert list(chinese_mnist(a).id) == list(t.id) == list(chinese_mnist().id)
    assert {o: os.stat(o).st_mtime_ns for o in t.id} == stamps
    assert [o.name for o in w.home.iterdir()] == [o for o in os.listdir(w.home) if o.startswith('chinese_mnist-')] and len(os.listdir(w.home)) == 1

def test_damage_in_the_cache_names_the_folder(w):
    t = chinese_mnist(pack(w.top, w.at/'a.zip'))
    os.unlink(t.id[5])
    with pytest.raises(ValueError, match='line 7: .* is not there. Repair or delete that folder'): chinese_mnist(w.at/'a.zip')

@pytest.mark.parametrize('prefix', ['', 'chinese-mnist/'])
def test_archive_with_a_folder_around(w, prefix):
    assert len(chinese_mnist(pack(w.top, w.at/'a.zip', prefix))) == 60

def test_pictures_beside_the_csv(w):
    for p in list(w.pics.iterdir()): p.rename(w.top/'data'/p.name)
    assert len(read_chinese(w.top)) == 60

def test_other_bytes_are_not_called_the_real_set(w):
    (w.top/'SOURCE.txt').write_text('Chinese MNIST\n')
    with pytest.warns(UserWarning, match='not the Chinese MNIST that we know'): t = chinese_mnist(w.top)
    assert t.attrs['source'] == 'Chinese MNIST (unverified copy)'

def test_the_real_fingerprint_is_called_the_real_set(w, monkeypatch):
    sha = chinese._checked(w.top)[1]
    monkeypatch.setattr(chinese, '_SHA256', sha)
    assert chinese_mnist(w.top).attrs['source'] == 'Chinese MNIST'
    (w.pics/ONE).write_bytes((w.pics/'input_1_1_3.jpg').read_bytes())
    assert chinese_mnist(w.top).attrs['source'] == DRAWN

def test_nothing_there(w):
    for p in (w.at/'gone.zip', str(w.at/'gone')):
        with pytest.raises(FileNotFoundError, match='neither an archive nor a folder'): chinese_mnist(p)
    with pytest.raises(FetchError, match='no key for Kaggle\nBy hand: download it'): chinese_mnist(standin=False)
    assert not list(w.home.iterdir())

def small(monkeypatch):
    monkeypatch.setattr(chinese, 'write_chinese_standin', lambda dest, progress: write_chinese_standin(dest, 1, 1))

def test_standin_is_drawn_once_and_says_so(w, monkeypatch):
    small(monkeypatch)
    with pytest.warns(UserWarning, match='Going on with a stand-in') as said: t = chinese_mnist(progress=False)
    assert said[0].filename == __file__ and len(t) == 15 and t.attrs['source'] == DRAWN
    monkeypatch.setattr(chinese, 'write_chinese_standin', None)
    with pytest.warns(UserWarning): assert list(chinese_mnist().id) == list(t.id)

def test_a_standin_never_hides_an_archive(w, monkeypatch):
    small(monkeypatch)
    with pytest.warns(UserWarning): assert len(chinese_mnist(progress=False)) == 15
    pack(w.top, w.home/'chinese-mnist.zip')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(chinese_mnist()) == 60

def test_kaggle_comes_before_the_standin(w, monkeypatch):
    asked = []
    def fetch(kind, name, dest, progress): asked.append((kind, name)); shutil.copytree(w.top, dest); return dest
    monkeypatch.setattr(chinese, 'kaggle_key', lambda: 'a file')
    monkeypatch.setattr(chinese, 'kaggle_fetch', fetch)
    assert len(chinese_mnist()) == len(chinese_mnist()) == 60
    assert asked == [('dataset', 'gpreda/chinese-mnist')]

def test_kaggle_that_fails(w, monkeypatch):
    small(monkeypatch)
    def fetch(*args): raise FetchError('the client gave up')
    monkeypatch.setattr(chinese, 'kaggle_key', lambda: 'a file')
    monkeypatch.setattr(chinese, 'kaggle_fetch', fetch)
    with pytest.raises(FetchError, match='the client gave up'): chinese_mnist(standin=False)
    with pytest.warns(UserWarning, match='the client gave up\nGoing on with a stand-in'): assert len(chinese_mnist(progress=False)) == 15
