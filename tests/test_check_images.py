"Checking files: whatever lies in a folder is reported under its kind, agrees with what the store can read, and is not touched."
import io, os, threading
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from digitclf.check import FATAL, KINDS, CheckReport, check_images, drop_bad
from digitclf.leaks import near_pairs
from digitclf.pictures import ImageError
from digitclf.sources import digits_sample
from digitclf.store import ImageStore

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
    with pytest.raises(ImageError, match='10 of 10 files cannot be used') as e: drop_bad(pd.DataFrame(dict(id=[str(tmp_path/n) for n in names])), progress=False)
    assert str(e.value).encode().count(b'\n') == 7

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
    used, left_out = drop_bad(mixed, 'skip', progress=False)
    assert left_out == {'empty': 1, 'damaged': 1} and list(used.id) == list(clean.id)
    with pytest.raises(ImageError, match='2 of 20 files cannot be used') as e: drop_bad(mixed, progress=False)
    assert 'row 3' in str(e.value) and 'row 7' in str(e.value) and "on_bad='skip'" in str(e.value)
    assert {p: Path(p).read_bytes() for p in mixed.id} == before
    assert ImageStore.from_files(used.id, n_in=1, cache=False, progress=False).data.shape == (18,1,32,32)

def test_nothing_wrong_costs_no_copy(mixed):
    good = mixed.iloc[[0, 1, 2]]
    used, left_out = drop_bad(good, progress=False)
    assert used is good and left_out == {}

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
