"Sphinx's settings, from `_quarto.yml` where that has a word for them."
import sys
from pathlib import Path
here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import docs, docs_renderer
import sphinxcontrib.katex as katex

site = docs.description()['website']
project = site['title']
author, project_copyright = 'The digitclf founders', '2026, the digitclf founders'
extensions = ['myst_nb', 'sphinx_copybutton', 'sphinxcontrib.katex']

nb_execution_mode = 'off'
nb_merge_streams = True
nb_render_markdown_format = 'myst'
myst_enable_extensions = ['dollarmath', 'colon_fence', 'attrs_inline', 'attrs_block', 'tasklist']
myst_heading_anchors = 4
myst_heading_slug_func = 'docs.slug'
suppress_warnings = ['myst.header', 'mystnb.unknown_mime_type']
katex_css_path = 'katex/katex.min.css'
katex_prerender = True  # formulas become text at build time: no script in the page
katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60  # seconds; its own 5 are too few for node on a busy machine
katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket  # tries until node listens; the other takes the socket's name for that

html_theme = 'pydata_sphinx_theme'
html_title = site['title']
html_favicon = 'static/logo.svg'
html_static_path, html_extra_path, templates_path = ['static', str(docs.root/'build'/'static')], [str(docs.root/'build'/'extra')], ['templates']
html_css_files = ['site.css']
html_show_sourcelink, html_copy_source = False, False
html_sidebars = {'**': ['sidebar.html']}
html_theme_options = dict(
    logo=dict(image_light='_static/logo.svg', image_dark='_static/logo.svg', text=site['title'], alt_text=''),
    navbar_start=['navbar-logo'], navbar_center=['navbar.html'], navbar_end=['theme-switcher', 'navbar-icon-links'], navbar_persistent=['search-button'],
    secondary_sidebar_items={'**': ['page-toc', 'notebook']}, article_header_start=[], footer_start=['footer'], footer_end=[],
    show_prev_next=True, navigation_with_keys=False, back_to_top_button=True, show_toc_level=2, collapse_navigation=False,
    icon_links=[dict(name='GitHub', url=site['repo-url'], icon='fa-brands fa-github')], pygments_light_style='default', pygments_dark_style='github-dark',
)
html_context = dict(default_mode='auto', site=site, navbar=[(o['text'], docs.address(o['href']) if o['href'].endswith('.ipynb') else o['href']) for o in site['navbar']['left']])

def notebook_of(app, pagename, templatename, context, doctree):
    "Tell the templates which notebook a page was made from."
    context['notebook'] = app.config.html_context.get('notebooks', {}).get(pagename)

def setup(app):
    names = [n for _, ns in docs.sections(site['sidebar']['contents']) for n in ns if n.endswith('.ipynb')]
    app.config.html_context['notebooks'] = {docs.address(n): n for n in names}
    app.connect('html-page-context', notebook_of)
    return dict(parallel_read_safe=True, parallel_write_safe=True)
