"Checking files: whatever lies in a folder is reported under its kind, agrees with what the store can read, and is not touched."
import io, os, threading, warnings
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from digitclf.blocks import DataBlock, ImageBlock, ImageDataLoaders, CategoryBlock, ColReader
from digitclf.check import FATAL, KINDS, CheckReport, check_images, unlisted_files
from digitclf.data import DataLoaders
from digitclf.leaks import near_pairs
from digitclf.learner import Learner
from digitclf.pictures import ImageError
from digitclf.preds import Preds
from digitclf.sources import digits_sample
from digitclf.splits import ColSplitter, GroupSplitter
from digitclf.store import ImageStore
from digitclf.suspects import out_of_fold, suspect_labels

images, _ = digits_sample()
big = images[:100].repeat(4, 1).repeat(4, 2)
grey, rgb = Image.fromarray(big[0]), Image.fromarray(np.stack([big[1], big[2], big[3]], -1))

def saved(im, fmt, **kw):
    out = io.BytesIO()
    im.save(out, fmt, **kw)
    return out.getvalue()

def kinds_of(path, **kw):
    "The kinds of problem of one file."
    return check_images([path], progress=False, **kw).problems.kind.tolist()

def readable(path):
    try: ImageStore.from_files([path], n_in=3, cache=False, progress=False)
    except ImageError: return False
    return True

PNG, JPEG, GIF = saved(grey, 'PNG'), saved(rgb, 'JPEG'), saved(grey, 'GIF', save_all=True, append_images=[rgb.convert('L')])
BYTES = { # name: content, kinds
    'nul.png': (bytes(4096), ['no image']), 'nul.jpg': (bytes(1), ['no image']), 'empty.png': (b'', ['empty']), 'empty.gif': (b'', ['empty']),
    'text.png': (b'Not Found\n', ['no image']), 'html.jpg': (b'<!DOCTYPE html><html></html>', ['no image']), 'bom.png': ('\ufeffx'.encode('utf-16'), ['no image']),
    'pickle.png': (b'\x80\x04\x95\x1f\0\0\0\0', ['no image']), 'vector.png': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', ['no image']),
    'script.png': (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', ['no image']),
    'head.png': (PNG[:8], ['no image']), 'half.png': (PNG[:len(PNG)//2], ['damaged']), 'half.jpg': (JPEG[:len(JPEG)//2], ['damaged']),
    'last.jpg': (JPEG[:-2], ['damaged']), 'flip.png': (PNG[:80] + bytes([PNG[80] ^ 255]) + PNG[81:], ['damaged']),
    'half.gif': (saved(rgb.convert('L'), 'GIF')[:-99], ['damaged']), 'half.bmp': (saved(rgb, 'BMP')[:999], ['damaged']), 'half.webp': (saved(rgb, 'WEBP')[:-9], ['damaged']),
    'half.tif': (saved(rgb, 'TIFF')[:-99], ['damaged']),
    'tail.png': (PNG + b'something else after the end', []), 'good.png': (PNG, []), 'good.JPG': (JPEG, []), 'noending': (PNG, []),
    'liar.png': (JPEG, ['ending']), 'liar.jpeg': (PNG, ['ending']), 'liar.gif': (saved(rgb, 'WEBP'), ['ending']), 'moves.gif': (GIF, ['frames']),
    'moves.webp': (saved(rgb, 'WEBP', save_all=True, append_images=[rgb.rotate(90)]), ['frames']),
    'pages.tif': (saved(grey, 'TIFF', save_all=True, append_images=[grey]), ['frames']), 'phone.jpg': (saved(rgb, 'MPO', save_all=True, append_images=[rgb]), ['frames']),
    'cut_later.gif': (GIF[:-30], ['frames']), 'blank.png': (saved(Image.new('RGB', (9,9), 'white'), 'PNG'), ['blank']), 'dot.png': (saved(Image.new('L', (1,1)), 'PNG'), ['blank']),
    'float.tif': (saved(Image.fromarray(big[0].astype(np.float32)), 'TIFF'), ['refused'])}

@pytest.mark.parametrize('name', BYTES)
def test_bytes(tmp_path, name):
    data, want = BYTES[name]
    (tmp_path/name).write_bytes(data)
    assert kinds_of(tmp_path/name) == want
    assert readable(tmp_path/name) == (not set(want) & set(FATAL)), 'the check and the store disagree'
    assert (tmp_path/name).read_bytes() == data and len(list(tmp_path.iterdir())) == 1

@pytest.mark.parametrize('mode,fmt', [('1','PNG'), ('L','PNG'), ('LA','PNG'), ('P','PNG'), ('RGB','PNG'), ('RGBA','PNG'), ('I;16','PNG'), ('CMYK','JPEG'),
                                      ('CMYK','TIFF'), ('YCbCr','TIFF'), ('P','GIF'), ('L','JPEG2000'), ('RGBA','WEBP')])
def test_modes_are_read_and_the_odd_one_named(tmp_path, mode, fmt):
    odd = Image.fromarray(big[0].astype(np.uint16)*257) if mode == 'I;16' else (grey if mode in ('1','L','LA') else rgb).convert(mode)
    paths = [tmp_path/f'{i}.png' for i in range(9)] + [tmp_path/'odd']
    other = grey if mode != 'L' else rgb
    for i, p in enumerate(paths[:-1]): Image.fromarray(big[10+i] if other is grey else np.stack([big[10+i], big[20+i], big[30+i]], -1)).save(p)
    paths[-1].write_bytes(saved(odd, fmt))
    report = check_images(paths, progress=False)
    assert [r for r in zip(report.problems.row, report.problems.kind) if r[1] == 'mode'] == [(9, 'mode')]
    assert not len(report.bad) and readable(paths[-1])
    expecting = lambda i: check_images(paths, mode=report.files['mode'][i], near=False, progress=False).rows('mode').tolist()
    assert (expecting(0), expecting(9)) == ([9], list(range(9)))
    assert check_images(paths[:-1], progress=False).problems.empty

def test_sizes(tmp_path):
    paths = [tmp_path/f'{i}.png' for i in range(10)]
    for i, p in enumerate(paths): Image.fromarray(big[i]).resize((32, 32) if i else (20, 30)).save(p)
    report = check_images(paths, near=False, progress=False)
    assert report.problems[['row','kind','detail']].values.tolist() == [[0, 'size', '30 x 20, most are 32 x 32']]
    assert len(check_images(paths, size=(30, 20), near=False, progress=False).problems) == 9
    for i, p in enumerate(paths): Image.fromarray(big[i]).resize((32+i, 32)).save(p)
    assert check_images(paths, near=False, progress=False).problems.empty, 'sizes that vary blame nobody'
    with pytest.raises(ValueError, match='from 1 to'): check_images(paths, size=0)

def test_what_is_no_file(tmp_path):
    (tmp_path/'dir.png').mkdir()
    (tmp_path/'loop.png').symlink_to(tmp_path/'pool.png')
    (tmp_path/'pool.png').symlink_to(tmp_path/'loop.png')
    (tmp_path/'dangling.png').symlink_to(tmp_path/'nowhere.png')
    (tmp_path/'real').write_bytes(PNG)
    (tmp_path/'link.png').symlink_to(tmp_path/'real')
    names = ['dir.png','loop.png','dangling.png','link.png','gone.png', '', 'nul\0byte.png', 'x'*5000 + '.png', '\ud800.png', 'real/inside.png']
    want = ['not a file','unreadable','missing',None,'missing','not a file','unreadable','unreadable','unreadable','unreadable']
    for name, kind in zip(names, want): assert kinds_of(str(tmp_path/name)) == [kind]*(kind is not None), name[:20]

@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes here')
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path/'pipe.png')
    got = []
    t = threading.Thread(target=lambda: got.append(kinds_of(tmp_path/'pipe.png')), daemon=True)
    t.start()
    t.join(20)
    assert got == [['not a file']]

def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path/'mine.png').write_bytes(PNG)
    if os.name == 'posix' and os.geteuid() != 0: (tmp_path/'mine.png').chmod(0)
    else: monkeypatch.setattr('PIL.Image.open', lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, 'Permission denied')))
    assert kinds_of(tmp_path/'mine.png') == ['unreadable']

def test_names_are_printable(tmp_path):
    names = ['a b.png', 'ä字.png', 'new\nline.png', 'tab\t.png', "quote'\".png", '-rf.png', '%s{}.png', '$x.png', os.fsdecode(b'latin-\xe9.png'), '\x1b[31m.png']
    for name in names: (tmp_path/name).write_bytes(b'')
    report = check_images(pd.DataFrame(dict(id=[str(tmp_path/n) for n in names])), progress=False)
    assert report.counts == dict(empty=len(names))
    assert all(i.isprintable() for i in report.problems.id) and 'ä字.png' in report.problems.id[1]
    report.problems.to_string().encode(), repr(report).encode()

@pytest.fixture
def mixed(tmp_path):
    "Twenty files, of them one empty, one cut, one copied with another label, one saved again."
    paths = [tmp_path/f'{i}.png' for i in range(20)]
    for p, x in zip(paths, big): Image.fromarray(x).save(p)
    paths[3].write_bytes(b'')
    paths[7].write_bytes(paths[7].read_bytes()[:100])
    paths[11].write_bytes(paths[10].read_bytes())
    Image.fromarray(big[12]).save(tmp_path/'13.jpg', quality=90)
    paths[13] = tmp_path/'13.jpg'
    table = pd.DataFrame(dict(id=[str(p) for p in paths], label=['a']*11 + ['b'] + ['a']*8), index=[0]*20) # an index that says nothing
    table.attrs['source'] = 'test'
    return table

def test_report(mixed):
    report = check_images(mixed, progress=False)
    assert report.problems[['row','kind','other']].values.tolist() == [[3,'empty',-1], [7,'damaged',-1], [11,'copy',10], [13,'near copy',12],
                                                                      [10,'other label',11], [11,'other label',10]]
    assert report.counts == {'empty': 1, 'damaged': 1, 'copy': 1, 'near copy': 1, 'other label': 2}
    assert list(report.summary().index) == list(report.counts) and set(report.counts) <= set(KINDS)
    assert '2 cannot be used (1 empty, 1 damaged); 3 to look at' in repr(report)
    assert check_images(list(mixed.id), near=False, progress=False).counts == {'empty': 1, 'damaged': 1, 'copy': 1}

def test_threads_make_no_difference(mixed):
    a, b = (check_images(mixed, workers=n, progress=False) for n in (1, 8))
    pd.testing.assert_frame_equal(a.problems, b.problems)
    pd.testing.assert_frame_equal(a.files, b.files)

def test_drop(mixed):
    before = {p: Path(p).read_bytes() for p in mixed.id}
    report = check_images(mixed, progress=False)
    clean = report.drop(mixed)
    assert len(clean) == 18 and clean.attrs == dict(source='test', left_out={'empty': 1, 'damaged': 1}) and list(clean.index) == list(range(18))
    assert mixed.attrs == dict(source='test') and len(mixed) == 20
    assert len(report.drop(mixed, ['copy', 'other label'])) == 18, 'of a contradiction both rows go'
    with pytest.raises(ImageError, match='2 of 20 images cannot be used') as e: ImageStore.from_files(mixed.id, n_in=1, cache=False, progress=False)
    assert 'row 3' in str(e.value) and 'row 7' in str(e.value) and "on_bad='skip'" in str(e.value)
    assert {p: Path(p).read_bytes() for p in mixed.id} == before
    assert ImageStore.from_files(clean.id, n_in=1, cache=False, progress=False).data.shape == (18,1,32,32)

# Leaving out what cannot be read

def loads(mixed, tmp_path, how, **kw):
    "Loaders of the mixed files, made in different ways."
    kw = dict(n_in=1, cache=tmp_path/'cache', device='cpu', leaks=False) | kw
    mixed = mixed.assign(role=['train']*15 + ['valid']*5)
    if how == 'df': return ImageDataLoaders.from_df(mixed, fn_col='id', label_col='label', splitter=ColSplitter(), **kw)
    if how == 'csv':
        mixed.to_csv(tmp_path/'labels.csv', index=False)
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'labels.csv has no row for 1 images') # 13.png
            return ImageDataLoaders.from_csv(tmp_path, 'labels.csv', fn_col='id', label_col='label', splitter=ColSplitter(), **kw)
    n_in = kw.pop('n_in')
    if how == 'block': return DataBlock((ImageBlock(n_in), CategoryBlock), get_x=ColReader('id'), get_y=ColReader('label'), splitter=ColSplitter()).dataloaders(mixed, **kw)
    store = ImageStore.from_files(mixed.id, n_in=n_in, cache=kw.pop('cache'), on_bad=kw.pop('on_bad', 'error'))
    return DataLoaders.from_table(mixed, store, **kw)

@pytest.mark.parametrize('how', ['df', 'csv', 'block', 'table'])
def test_skip(mixed, tmp_path, how):
    before = {p: (Path(p).read_bytes(), os.stat(p).st_mtime_ns) for p in mixed.id}
    with pytest.raises(ImageError, match="(?s)2 of 20 images cannot be used.*row 3, .*row 7, .*on_bad='skip'.*check_images"): loads(mixed, tmp_path, how)
    with pytest.warns(UserWarning) as seen: dls = loads(mixed, tmp_path, how, on_bad='skip')
    assert len(seen) == 1 and '2 of 20 files cannot be read and are left out: row 3, ' in str(seen[0].message), 'said once'
    assert dls.skipped.row.tolist() == [3, 7] and dls.skipped.id.tolist() == [mixed.id.iloc[i] for i in (3, 7)] and dls.skipped.problem.str.len().gt(5).all()
    assert (dls.train.n, dls.valid.n, len(dls.table), len(dls.train.store)) == (13, 5, 18, 18)
    assert dls.train.ids + dls.valid.ids == dls.table.id.tolist() == [p for i, p in enumerate(mixed.id) if i not in (3, 7)]
    assert [dls.vocab[t] for t in dls.train.targs] == dls.table.label.tolist(), 'labels stay with their images'
    assert torch.equal(dls.train.store.data[10], torch.from_numpy(np.array(Image.open(dls.table.id[10])))[None])
    assert {p: (Path(p).read_bytes(), os.stat(p).st_mtime_ns) for p in mixed.id} == before
    learn = Learner(dls, 'linear')
    with learn.no_bar(): learn.fit(2)
    assert learn.history.skipped.tolist() == [2, 2]

def test_nothing_skipped_leaves_no_trace(mixed, tmp_path):
    good = mixed.drop_duplicates('id').iloc[[i for i in range(20) if i not in (3, 7)]]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        dls = ImageDataLoaders.from_df(good, fn_col='id', label_col='label', valid_pct=.3, n_in=1, cache=False, device='cpu', on_bad='skip', leaks=False)
    learn = Learner(dls, 'linear')
    with learn.no_bar(): learn.fit(1)
    assert dls.skipped.empty and list(dls.skipped) == ['row', 'id', 'problem'] and 'skipped' not in learn.history

def test_skip_every_kind(tmp_path):
    "Whatever the check calls fatal is left out, and nothing else."
    for name, (data, _) in BYTES.items(): (tmp_path/name).write_bytes(data)
    (tmp_path/'dir.png').mkdir()
    paths = [tmp_path/n for n in [*BYTES, 'dir.png', 'gone.png', 'nul\0.png']]
    fatal = check_images(paths, near=False, progress=False).bad.tolist()
    with pytest.warns(UserWarning, match=f'{len(fatal)} of {len(paths)} files'): store = ImageStore.from_files(paths, size=16, cache=False, on_bad='skip')
    assert store.skipped.row.tolist() == fatal and len(store) == len(paths) - len(fatal)

@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes here')
def test_skip_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path/'pipe.png')
    (tmp_path/'a.png').write_bytes(PNG)
    got = []
    def work():
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            got.append(ImageStore.from_files([tmp_path/'a.png', tmp_path/'pipe.png'], cache=False, on_bad='skip').skipped.row.tolist())
    t = threading.Thread(target=work, daemon=True)
    t.start()
    t.join(20)
    assert got == [[1]]

def test_skip_is_not_for_other_things(mixed, tmp_path):
    Image.fromarray(big[0]).resize((20, 20)).save(mixed.id.iloc[5])
    with pytest.raises(ImageError, match=r'1 of 18 images.*(?s:.)*nothing is wrong with the files; pass size='):
        ImageStore.from_files(mixed.id, n_in=1, cache=tmp_path/'cache', on_bad='skip')
    bad = mixed.iloc[[3, 7]]
    with pytest.raises(ImageError, match='2 of 2 images cannot be used'): ImageStore.from_files(bad.id, cache=False, on_bad='skip')
    with pytest.raises(FileNotFoundError, match='20 of 20 rows name a file that is not there'):
        ImageDataLoaders.from_df(mixed, fn_col='id', label_col='label', suff='.bmp', cache=False, on_bad='skip')
    for how in ('df', 'block'):
        with pytest.raises(ValueError, match="pick 'error', or 'skip'"): loads(mixed, tmp_path, how, on_bad='Skip')
    only = mixed.assign(role=['valid' if i not in (3, 7) else 'train' for i in range(20)])
    with pytest.warns(UserWarning, match='left out'), pytest.raises(ValueError, match="no row has the role 'train'"):
        DataLoaders.from_table(only, ImageStore.from_files(only.id, size=8, cache=False, on_bad='skip'))
    with pytest.warns(UserWarning, match='left out'): store = ImageStore.from_files(mixed.id, size=8, cache=False, on_bad='skip')
    with pytest.raises(ValueError, match='12 rows in the table and 18 images in the store, which left out 2'): DataLoaders.from_table(mixed[:12].assign(role='train'), store)

@pytest.mark.parametrize('note', [b'', b'{}', b'[99, "a", null, -1, 2.5]', b'null', b'[0, 1, 2]', bytes(50)])
def test_the_note_beside_the_cache_may_be_nonsense(mixed, tmp_path, note):
    def load():
        with pytest.warns(UserWarning, match='2 of 20 files'): return ImageStore.from_files(mixed.id, n_in=1, cache=tmp_path/'cache', on_bad='skip')
    first = load()
    assert load().decoded == 0
    [f] = (tmp_path/'cache').glob('*.bad.json')
    f.write_bytes(note)
    again = load()
    assert again.skipped.equals(first.skipped) and again.data.equal(first.data)

def test_unlisted(mixed, tmp_path):
    (tmp_path/'.hidden.png').write_bytes(PNG)
    (tmp_path/'notes.txt').write_text('x')
    (tmp_path/'more').mkdir()
    (tmp_path/'more'/'a.png').write_bytes(PNG)
    assert unlisted_files(mixed) == unlisted_files(list(mixed.id)) == [str(tmp_path/'13.png')]
    assert unlisted_files(mixed, tmp_path) == [str(tmp_path/'13.png'), str(tmp_path/'more'/'a.png')]
    report = check_images(pd.concat([mixed, mixed[:1]]), near=False, progress=False)
    assert report.unlisted == [str(tmp_path/'13.png')] and '1 more in these folders have no row' in repr(report)
    assert report.problems[report.problems.row == 20].detail.tolist() == ['the same file as row 0']

# Leaks are told of unasked

def told(images, table, **kw):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        ImageDataLoaders.from_arrays(images, table, device='cpu', **kw)
    return [str(w.message) for w in seen]

def test_leaks_are_told():
    table = pd.DataFrame(dict(id=[f'{i}' for i in range(100)], label=list('ab')*50, role=['train']*60 + ['valid']*20 + ['test']*20))
    assert told(big, table) == [], 'clean'
    copied = np.concatenate([big[:97], big[:3]])
    assert [l.split(', such')[0] for l in told(copied, table)] == ['leak: the same image in two roles (3 in train + test)']
    assert told(copied, table, leaks=False) == []
    assert told(copied, table.assign(role='train')) == [], 'one side only'
    assert told(np.zeros_like(big), table) == [], 'nothing to remember in a blank picture'
    by_ten = table.assign(group=np.arange(100) % 10)
    [line] = told(big, by_ten)
    assert line.startswith('leak: the same group in two roles (10 in train + valid, 10 in train + test, 10 in valid + test), such as 0, 1, 2;') and 'GroupSplitter()' in line
    assert told(big, by_ten.drop(columns='role'), splitter=GroupSplitter()) == []
    assert [l.split(':')[0] for l in told(copied, by_ten.assign(id='x'))] == ['leak']*3
    [line] = told(big, table.assign(writer=[i//2 % 10 for i in range(100)]))
    assert 'writer (10 values)' in line and "GroupSplitter('writer')" in line

def test_leaks_of_several_labels():
    tags = ['a b', 'b', '', 'a', 'a b c']*20
    table = pd.DataFrame(dict(id=range(100), label=tags, role=['train']*60 + ['valid']*40, scene=[i//5 % 10 for i in range(100)]))
    [line] = told(big, table, label_delim=' ', allow_empty=True)
    assert 'scene (10 values)' in line
    lists = table.assign(label=[t.split() for t in tags])
    assert len(told(big, lists, allow_empty=True)) == 1 and told(big, lists.drop(columns='scene'), allow_empty=True) == []

# Suspect labels

def test_suspects_want_fresh_predictions():
    p = torch.tensor([[.9, .1], [.8, .2], [.1, .9], [.9, .1]])
    preds = lambda **kw: Preds(list('abcd'), p, **dict(targs=torch.tensor([0, 0, 1, 1]), vocab=['x', 'y']) | kw)
    for kw, words in ((dict(seen=True), 'from memory'), ({}, 'preds.seen is None'), (dict(seen=False, targs=None), 'no labels that could be wrong')):
        with pytest.raises(ValueError, match=words): suspect_labels(preds(**kw))
    with pytest.raises(ValueError, match='from memory'): suspect_labels(preds(seen=True), out_of_sample=True)
    for got in (suspect_labels(preds(), out_of_sample=True), suspect_labels(preds(seen=False))):
        assert got[['row', 'id', 'target', 'suggestion']].values.tolist() == [[3, 'd', 'y', 'x']]
    assert preds(seen=False).subset([3]).seen is False
    for k in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match='whole number from 1 on'): suspect_labels(preds(seen=False), k)
    with pytest.raises(ValueError, match="no class is called 'z'"): suspect_labels(preds(seen=False), label='z')
    assert suspect_labels(preds(seen=False), label='x').empty
    empty = suspect_labels(preds(seen=False).subset([]))
    assert empty.empty and list(empty) == ['row', 'id', 'target', 'suggestion', 'p_target', 'p_suggestion', 'margin']

def test_out_of_fold_of_real_learners():
    table = pd.DataFrame(dict(id=[f'p{i}' for i in range(100)], label=list('abcd')*25, role=['train']*90 + ['test']*10))
    seen = []
    def make(t, **kw):
        seen.append(t)
        learn = Learner(ImageDataLoaders.from_arrays(big, t, device='cpu', **kw), 'linear')
        with learn.no_bar(): learn.fit(1)
        return learn
    preds = out_of_fold(table, make, 3)
    assert preds.ids == list(table.id[:90]) and preds.seen is False and preds.losses.shape == (90,)
    assert torch.equal(preds.images[torch.arange(90)][:,0], torch.from_numpy(big[:90])) and len(preds.images) == 90
    assert preds.images[torch.tensor([], dtype=torch.long)].shape[0] == 0 and preds.subset([5, 2]).images[torch.tensor([1])].equal(torch.from_numpy(big[[2]])[None])
    assert [(t.role == 'test').sum() for t in seen] == [10]*3 and sum((t.role == 'valid').astype(int) for t in seen).tolist() == [1]*90 + [0]*10
    with pytest.raises(ValueError, match='stands in more than one row'): out_of_fold(table.assign(id=1), make)
    with pytest.raises(ValueError, match='fold 0 of 3: 30 of 30 rows did not come back'): out_of_fold(table, lambda t: make(t.assign(id=[f'q{i}' for i in range(100)])), 3)
    with pytest.raises(ValueError, match='pass the same vocab='): out_of_fold(table, lambda t: make(t, vocab=sorted('abcd', reverse=len(seen) % 2)), 3)
    with pytest.raises(ValueError, match='no column label'): out_of_fold(table[['id']], make)

def test_folder_and_table_and_list_agree(tmp_path):
    for i in range(3): Image.fromarray(big[i]).save(tmp_path/f'{i}.png')
    paths = [tmp_path/f'{i}.png' for i in range(3)]
    reports = [check_images(s, progress=False) for s in (tmp_path, str(tmp_path), paths, map(str, paths), pd.DataFrame(dict(id=paths)), [os.fsencode(p) for p in paths])]
    assert all(list(r.files.id) == [str(p) for p in paths] and r.problems.empty for r in reports)
    assert isinstance(reports[0], CheckReport) and 'nothing is wrong' in repr(reports[0])

def test_missing_names_and_labels(tmp_path):
    (tmp_path/'a.png').write_bytes(PNG)
    (tmp_path/'b.png').write_bytes(PNG)
    table = pd.DataFrame(dict(id=[str(tmp_path/'a.png'), None, float('nan'), str(tmp_path/'b.png')], label=['x', None, 'y', None]))
    assert check_images(table, progress=False).counts == dict(missing=2, copy=1), 'a label that is missing contradicts nothing'
    with pytest.raises(ValueError, match='no column id'): check_images(table[['label']])
    with pytest.raises(ValueError, match='no files'): check_images([])
    with pytest.raises(FileNotFoundError, match='no folder'): check_images(tmp_path/'gone')

def test_too_many_near_pictures_is_an_error():
    x = (torch.full((3500, 8, 8), 100) + torch.randint(0, 3, (3500, 8, 8), generator=torch.Generator().manual_seed(0))).byte()
    x[:,:4] += 100 # a clear picture, and a little noise
    with pytest.raises(ValueError, match='lower max_diff'): near_pairs(x)
