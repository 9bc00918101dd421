"Several labels an image, from files and tables that are not as they should be: errors name rows, nothing is guessed in silence."
import warnings
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch
from PIL import Image
from digitclf.blocks import CategoryBlock, ColReader, DataBlock, ImageBlock, ImageDataLoaders, MultiCategoryBlock, read_csv
from digitclf.check import check_images
from digitclf.data import Batches, DataLoaders, balance_weights
from digitclf.labels import decode_bits, encode_multi, make_vocab, make_vocab_multi
from digitclf.learner import Learner
from digitclf.splits import ColSplitter
from digitclf.store import ImageStore

NINE = list('abcdefghi')
TAGS = ['haze primary', 'clear primary water', 'clear primary', 'clear', 'haze water']*4

@pytest.fixture(scope='module')
def at(tmp_path_factory):
    "A folder of twenty small pictures, and a table that names them without their ending."
    torch.set_num_threads(1)
    at = tmp_path_factory.mktemp('chips')
    (at/'chips').mkdir()
    rng = np.random.default_rng(0)
    for i in range(20): Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(at/'chips'/f'chip_{i}.png')
    return at

@pytest.fixture
def df(): return pd.DataFrame(dict(name=[f'chip_{i}' for i in range(20)], tags=TAGS))

def load(at, df, **kw): return ImageDataLoaders.from_df(df, at, **dict(folder='chips', suff='.png', n_in=1, cache=False, device='cpu') | kw)

def block(at, df, y, get_y='tags', **kw):
    get_y = get_y if callable(get_y) else ColReader(get_y)
    return DataBlock((ImageBlock(n_in=1), y), get_x=ColReader('name', at/'chips', '.png'), get_y=get_y, **kw).dataloaders(df, cache=False, device='cpu')

def bits_of(dls): return [set(o) for o in dls.names(dls.train.targs)]

def test_every_way_gives_the_same_bits(at, df):
    want, words = [set(t.split()) for t in TAGS], sorted({w for t in TAGS for w in t.split()})
    hot = df.assign(**{w: [int(w in t.split()) for t in TAGS] for w in words}, text=[''.join(str(int(w in t.split())) for w in words) for t in TAGS])
    for dls in (load(at, df, label_delim=' '), load(at, df, label_delim=' ', fn_col='name', label_col='tags'), load(at, hot, label_col=words),
                load(at, df.assign(tags=df.tags.str.split())), load(at, df.assign(tags=[set(t.split()) for t in TAGS])),
                block(at, df, MultiCategoryBlock(label_delim=' ')), block(at, df, MultiCategoryBlock, lambda r: r['tags'].split(' ')),
                block(at, df, MultiCategoryBlock, ColReader('tags', label_delim=' ')), block(at, hot, MultiCategoryBlock(encoded=True), ColReader(words)),
                block(at, hot, MultiCategoryBlock(words, encoded=True), 'text'), block(at, hot, MultiCategoryBlock(words, encoded=True), lambda r: r[words].tolist())):
        assert dls.multi and dls.vocab == words and dls.train.targs.dtype == torch.float32 and bits_of(dls) == want
        assert dls.one_batch()[1].shape == (16, 4)

def test_the_seeds_way_of_a_number_as_text(at, df):
    "`r['value'].astype(str).split(' ')` wants NumPy's numbers in a row, not Python's."
    dls = block(at, df.assign(value=[1, 10, 100, 10_000, 100_000_000]*4), MultiCategoryBlock, lambda r: r['value'].astype(str).split(' '))
    assert dls.vocab == ['1', '10', '100', '10000', '100000000']

# Labels that were read as numbers

def test_bits_read_as_a_number(at, df, tmp_path):
    "'000100000' in a CSV is the integer 100000 to pandas."
    (tmp_path/'hot.csv').write_text('name,hot\n' + ''.join(f"chip_{i},{'0'*(i%9)}1{'0'*(8-i%9)}\n" for i in range(20)))
    wrong, right = read_csv(tmp_path/'hot.csv'), read_csv(tmp_path/'hot.csv', dtype=str)
    assert wrong.hot[0] == 100000000 and right.hot[3] == '000100000'
    for get_y in ('hot', lambda r: r['hot']):
        with pytest.raises(TypeError, match=r'row 0 holds the number 100000000.*read_csv\(path, dtype=str\)'):
            block(at, wrong, MultiCategoryBlock(NINE, encoded=True), get_y)
    assert bits_of(block(at, right, MultiCategoryBlock(NINE, encoded=True), 'hot')) == [{NINE[i%9]} for i in range(20)]
    with pytest.warns(UserWarning, match='look like rows of zeros and ones'): load(at, wrong)

def test_one_text_too_short():
    with pytest.raises(ValueError, match="row 2 holds 8 zeros and ones, '10000000', and the vocab has 9 names"): decode_bits(['1'*9, '0'*9, '10000000'], NINE)

def test_a_column_of_numbers_with_a_delimiter(at, df):
    with pytest.warns(UserWarning, match='never occurs in 20 rows.*leading zeros.*dtype=str'): dls = load(at, df.assign(tags=[1, 2]*10), label_delim=' ')
    assert dls.multi and dls.vocab == ['1', '2']

@pytest.mark.parametrize('value', [2, -1, None, 'x', .5])
def test_a_column_that_is_not_zeros_and_ones(at, df, value):
    with pytest.raises(ValueError, match="row 7, class 'b': .* is neither 0 nor 1"): load(at, df.assign(a=0, b=[value if i == 7 else 1 for i in range(20)]), label_col=['a', 'b'])

def test_bits_where_names_belong(at, df):
    with pytest.raises(ValueError, match='row 0 holds .0, 1, 1.* looks like zeros and ones.*encoded=True'): block(at, df, MultiCategoryBlock, lambda r: [0, 1, 1])
    with pytest.raises(ValueError, match='encoded=True needs vocab='): block(at, df, MultiCategoryBlock(encoded=True), lambda r: [0, 1, 1])

# Rows without labels

@pytest.mark.parametrize('empty', ['', '  ', None, float('nan'), pd.NA])
def test_an_empty_tag_string(at, df, empty):
    df['tags'] = [empty if i in (3, 11) else t for i, t in enumerate(TAGS)]
    for make in (lambda **kw: load(at, df, label_delim=' ', **kw), lambda **kw: block(at, df, MultiCategoryBlock(label_delim=' ', **kw)),
                 lambda **kw: block(at, df, MultiCategoryBlock(**kw), ColReader('tags', label_delim=' '))):
        with pytest.raises(ValueError, match='no label in rows 3, 11; if images without any label are meant, pass allow_empty=True'): make()
        targs = make(allow_empty=True).train.targs
        assert targs.sum(1).eq(0).nonzero().flatten().tolist() == [3, 11] and not targs.isnan().any()

def test_an_empty_cell_of_a_csv(at, df, tmp_path):
    df.assign(tags=['' if i == 5 else t for i, t in enumerate(TAGS)]).to_csv(tmp_path/'tags.csv', index=False)
    mk = lambda **kw: ImageDataLoaders.from_csv(at, tmp_path/'tags.csv', folder='chips', suff='.png', label_delim=' ', n_in=1, cache=False, device='cpu', **kw)
    with pytest.raises(ValueError, match='no label in rows 5;'): mk()
    assert mk(allow_empty=True).train.targs[5].tolist() == [0]*4

def test_all_rows_empty(at, df):
    with pytest.raises(ValueError, match='no labels, so no classes'): load(at, df.assign(tags=''), label_delim=' ', allow_empty=True)

def test_a_row_of_zeros_says_no(at, df):
    assert load(at, df.assign(a=0, b=[0, 1]*10), label_col=['a', 'b']).train.targs[0].tolist() == [0, 0]

def test_row_numbers_are_those_of_the_table(at, df):
    "Unlabelled test rows stand before the others; the numbers count them."
    df['role'], df['tags'] = ['test']*5 + ['train']*15, [None]*5 + TAGS[5:18] + ['', 'fog']
    with pytest.raises(ValueError, match='no label in rows 18;'): load(at, df, label_delim=' ', splitter=ColSplitter())
    with pytest.raises(ValueError, match="label 'fog' in rows 19;"):
        load(at, df.replace({'tags': {'': 'haze'}}), label_delim=' ', splitter=ColSplitter(), vocab=['clear', 'haze', 'primary', 'water'])

def test_unlabelled_test_images_are_nan(at, df):
    df['role'], df['tags'] = ['train']*12 + ['valid']*4 + ['test']*4, TAGS[:16] + [None]*4
    dls = load(at, df, label_delim=' ', splitter=ColSplitter())
    assert dls.test.targs[dls.test.rows].isnan().all() and not dls.train.targs[dls.train.rows].isnan().any()
    assert dls.titles(dls.one_batch('test')[1]) == ['']*4

# Delimiters

def test_a_delimiter_that_never_occurs(at, df):
    with pytest.raises(ValueError, match=r"the delimiter ',' never occurs in 20 rows; did you mean ' '\?"): load(at, df, label_delim=',')
    with pytest.raises(ValueError, match=r"did you mean ' '\?"): block(at, df, MultiCategoryBlock, ColReader('tags', label_delim=';'))
    for bad in ('', 3): 
        with pytest.raises(ValueError, match='give the text that stands between two labels'): load(at, df, label_delim=bad)

def test_names_with_blanks_are_names_if_the_vocab_says_so():
    with pytest.raises(ValueError, match="did you mean ' '"): make_vocab_multi(['bare ground', 'water'], label_delim=',')
    assert encode_multi(['bare ground', 'water'], ['bare ground', 'water'], ',').tolist() == [[True, False], [False, True]]
    assert make_vocab_multi(['bare ground, water', 'water,'], label_delim=',') == ['bare ground', 'water']

def test_duplicates_and_blanks():
    assert encode_multi(['cultivation  clear cultivation ', ' clear'], ['clear', 'cultivation'], ' ').tolist() == [[True, True], [True, False]]

def test_lists_as_text():
    with pytest.raises(ValueError, match='the text of Python lists'): make_vocab_multi(["['a', 'b']", "['c']"], label_delim=' ')

@pytest.mark.parametrize('labels,words', [([['a'], 'b c'], "row 1 holds 'b c', no list of labels"), ([['a'], [None]], 'row 1 holds'), ([['a'], [['b']]], 'row 1 holds'),
                                          ([['a'], 5], 'row 1 holds 5')])
def test_lists_that_are_none(labels, words):
    with pytest.raises(TypeError, match=words.replace('[', r'\[')): encode_multi(labels, ['a', 'b'])

def test_text_and_lists_mixed():
    with pytest.raises(TypeError, match='row 1 holds .*leave label_delim out'): encode_multi(['a b', ['a']], ['a', 'b'], ' ')

# One label where there are several, and the reverse

def test_one_label_asked_of_many(at, df):
    with pytest.raises(TypeError, match='row 0 holds several values.*MultiCategoryBlock'): block(at, df, CategoryBlock, lambda r: r['tags'].split(' '))

def test_tags_taken_for_classes():
    "Legal, and hardly ever meant: hundreds of classes made of few words."
    rng = np.random.default_rng(0)
    many = sorted({' '.join(np.array(NINE)[rng.random(9) < .4]) for _ in range(200)} - {''})
    with pytest.warns(UserWarning, match=f"{len(many)} classes are made of 9 words with ' ' between them.*label_delim=' '"): make_vocab(many)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        make_vocab([f'{a} {b}' for a, b in zip('abcdefghijkl', 'mnopqrstuvwx')]) # twelve birds of two words each
        make_vocab(list('0123456789'))

def test_a_label_that_training_never_sees(at, df):
    df['role'], df['tags'] = ['train']*16 + ['valid']*4, TAGS[:16] + ['haze rain']*4
    with pytest.warns(UserWarning, match="no training row has the label 'rain'"): dls = load(at, df, label_delim=' ', splitter=ColSplitter())
    assert 'rain' in dls.vocab and dls.label_balance().loc['rain'].tolist() == [0, 4]
    with pytest.raises(ValueError, match="not in the vocab: label 'rain' in rows 16, 17, 18, 19;"):
        load(at, df, label_delim=' ', splitter=ColSplitter(), vocab=['clear', 'haze', 'primary', 'water'])

# Files

def test_names_with_and_without_their_ending(at, df):
    mixed = df.assign(name=[n + ('.png' if i % 2 else '') for i, n in enumerate(df.name)])
    assert load(at, mixed, label_delim=' ').table.id.tolist() == load(at, df, label_delim=' ').table.id.tolist()
    with pytest.raises(FileNotFoundError, match="(?s)20 of 20 rows name a file that is not there:.*row 0, .*row 4, .*'chip_0.png' is there, pass suff='.png'"):
        load(at, df, label_delim=' ', suff='')
    with pytest.raises(FileNotFoundError, match="'chip_0.png' is there"): load(at, df, label_delim=' ', suff='.jpg')

def test_files_that_are_missing(at, df):
    df['name'] = ['gone' if i in (4, 9) else n for i, n in enumerate(df.name)]
    for make in (lambda: load(at, df, label_delim=' '), lambda: block(at, df, MultiCategoryBlock(label_delim=' '))):
        with pytest.raises(FileNotFoundError) as e: make()
        lines = str(e.value).split('\n')
        assert lines[0] == '2 of 20 rows name a file that is not there:' and [l.split(',')[0] for l in lines[1:3]] == ['  row 4', '  row 9'] and len(lines) == 4
        assert "on_bad='skip'" in lines[3]

def test_files_that_are_left_out(at, df):
    df['name'] = ['gone' if i in (4, 9) else n for i, n in enumerate(df.name)]
    for make in (lambda: load(at, df, label_delim=' ', on_bad='skip'), lambda: block_skip(at, df)):
        with pytest.warns(UserWarning, match='2 of 20 files cannot be read and are left out: row 4, .*gone.png, row 9, '): dls = make()
        assert dls.skipped.row.tolist() == [4, 9] and dls.train.n + dls.valid.n == 18
        assert [set(o) for o in dls.names(dls.train.targs)] == [set(t.split()) for i, t in enumerate(TAGS) if i not in (4, 9)]

def block_skip(at, df):
    return DataBlock((ImageBlock(n_in=1), MultiCategoryBlock(label_delim=' ')), get_x=ColReader('name', at/'chips', '.png'),
                     get_y=ColReader('tags')).dataloaders(df, cache=False, device='cpu', on_bad='skip')

def test_folder_and_names_as_numbers(at, df):
    with pytest.raises(FileNotFoundError, match='there is no folder .*chops'): load(at, df, label_delim=' ', folder='chops')
    with pytest.raises(FileNotFoundError, match='read as numbers.*dtype=str'): load(at, df.assign(name=range(20)), label_delim=' ')
    with pytest.raises(ValueError, match='no name in rows 2;'): load(at, df.assign(name=[None if i == 2 else n for i, n in enumerate(df.name)]), label_delim=' ')

def test_files_without_a_row(at, df, tmp_path):
    pd.concat([df[:-2], df[:1]]).to_csv(tmp_path/'some.csv', index=False)
    with pytest.warns(UserWarning, match='has no row for 2 images in the same folders, such as chip_18.png, chip_19.png'):
        dls = ImageDataLoaders.from_csv(at, tmp_path/'some.csv', folder='chips', suff='.png', label_delim=' ', n_in=1, cache=False, device='cpu')
    report = check_images(dls.table, near=False, progress=False)
    assert report.counts == dict(copy=1) and report.problems.detail[0] == 'the same file as row 0' and len(report.unlisted) == 2

def test_a_csv_of_nul_bytes(at, tmp_path):
    for name, data, words in [('all', bytes(3000), 'line 1 holds NUL'), ('tail', b'name,tags\nchip_0,a b\n' + bytes(500), 'line 3 holds NUL'),
                              ('late', b'a,b\n' + b'x,1\n'*400_000 + b'\0', 'line 400002 holds NUL')]:
        (tmp_path/name).write_bytes(data)
        with pytest.raises(ValueError, match=f"{name} can't be read as a CSV file: {words}"): read_csv(tmp_path/name)
    with pytest.raises(ValueError, match='holds NUL'): ImageDataLoaders.from_csv(at, tmp_path/'tail', label_delim=' ')
    pd.DataFrame(dict(a=[1])).to_csv(tmp_path/'t.csv.gz', index=False)
    assert len(read_csv(tmp_path/'t.csv.gz')) == 1

def test_columns_that_are_not_there(at, df):
    for make in (lambda: load(at, df, label_col='label', label_delim=' '), lambda: load(at, df, label_col=['tags', 'label']),
                 lambda: block(at, df, MultiCategoryBlock, ColReader('label', label_delim=' '))):
        with pytest.raises(ValueError, match=r"there is no column 'label'; the table has \['name', 'tags'\]"): make()
    with pytest.raises(ValueError, match="the label of row 0 can't be read: KeyError"): block(at, df, MultiCategoryBlock, lambda r: r['label'])

# Drawing rare classes more often

def draws(dl, epochs=20): return torch.cat([dl.order(e) for e in range(epochs)])

@pytest.mark.parametrize('how,power', [('equal', 0.), ('sqrt', .5)])
def test_balance_of_one_label(how, power):
    count = torch.tensor([400, 100, 25])
    table = pd.DataFrame(dict(id=range(525), label=np.repeat(['a', 'b', 'c'], count), role='train'))
    dls = DataLoaders.from_table(table, ImageStore.from_arrays(np.zeros((525, 2, 2), np.uint8)), balance=how, device='cpu')
    got, want = dls.train.targs[draws(dls.train)].bincount()/(20*525), count.double()**power/(count.double()**power).sum()
    assert (got - want).abs().max() < .02, got
    assert torch.equal(dls.train.order(1), dls.train.order(1)) and not torch.equal(dls.train.order(1), dls.train.order(2))
    assert sum(len(y) for _, y in dls.train) == 525

def test_balance_of_several_labels():
    "A row is as heavy as its rarest label; rows of none are a class of their own."
    bits = torch.tensor([[1., 0]]*90 + [[1., 1]]*6 + [[0., 0]]*4)
    w = balance_weights(bits, 'equal')
    assert torch.allclose(w[[0, 90, 96]], torch.tensor([1/96, 1/6, 1/4]).double())
    dl = Batches(ImageStore.from_arrays(np.zeros((100, 2, 2), np.uint8)), bits, shuffle=True, device='cpu', weights=w)
    share, p = bits[draws(dl, 200)].mean(0), w/w.sum()
    assert torch.allclose(share.double(), torch.stack([p[:96].sum(), p[90:96].sum()]), atol=.02)

def test_balance_touches_training_only(at, df):
    df['role'] = ['train']*12 + ['valid']*8
    dls = load(at, df, label_delim=' ', splitter=ColSplitter(), balance='sqrt')
    assert dls.train.weights.shape == (12,) and dls.valid.weights is None and set(draws(dls.train).tolist()) <= set(range(12))
    with pytest.raises(ValueError, match="pick 'equal' or 'sqrt'"): load(at, df, label_delim=' ', balance='full')

def test_training_and_pictures_of_several_labels(at, df):
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    learn = Learner(load(at, df, label_delim=' ', balance='equal', bs=4), 'linear')
    with learn.no_bar(): learn.fit(1)
    preds = learn.get_preds('train')
    assert preds.multi and preds.ids == learn.dls.train.ids # in table order, each once, whatever was drawn
    learn.dls.show_batch(n=4)
    learn.show_results(n=4, thresh=1.)
    titles = [ax.get_title() for ax in plt.gcf().axes]
    assert all(t.split('\n')[-1].startswith('−') for t in titles if t)
    plt.close('all')
