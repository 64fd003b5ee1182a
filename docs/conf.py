"""How Sphinx builds the site: `python -m course_tools site`, from the repository's root, stored outputs only."""

import importlib.metadata
import os
import shutil
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # the checkout that this file belongs to
# jsonschema would compile dozens of grammars for addresses that no notebook has, a third of the whole build. It does
# without where this module is missing.
sys.modules.setdefault("rfc3987_syntax", None)

from course_tools.site import fill_in, fold_bootstrap, launch_links, repository  # noqa: E402

project = "From Convolution to VGG"
release = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
language = "en"
extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton"]

root_doc = "docs/index"
include_patterns = ["docs/*.md", "notebooks/**.ipynb", "data/README.md"]
# Nothing in these is a page, but Sphinx would walk through every file of them, twice.
exclude_patterns = [".*", "build", "dist", "data/FashionMNIST", "**/__pycache__"]
templates_path = ["templates"]

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# MathJax comes from a package at build time and is served with the pages. It typesets when the page is there
# already, and only on pages with formulas. Its menu would fetch the parts that it offers.
mathjax_path = "mathjax/tex-svg-full.js"
mathjax_options = {"defer": "defer"}
mathjax3_config = {"options": {"enableMenu": False}, "svg": {"fontCache": "global"}}

html_theme = "sphinx_book_theme"
html_title = project
html_baseurl = os.environ.get("COURSE_SITE", "")
html_static_path = ["static"]
html_css_files = ["course.css"]
html_js_files = [("course.js", {"defer": "defer"})]
html_favicon = "static/favicon.svg"
html_additional_pages = {"index": "redirect.html"}
html_copy_source = True
html_sourcelink_suffix = ""
html_last_updated_fmt = None
html_show_sphinx = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_persistent": [],
    "show_toc_level": 2,
    "use_fullscreen_button": False,
    "logo": {"text": project},
    "footer_content_items": ["extra-footer.html"],
    "extra_footer": "Code: MIT. Text and figures: CC BY 4.0.",
}
copybutton_exclude = ".linenos, .gp, .go"

address = repository()
branch = os.environ.get("COURSE_REF", "main")


def prepare(app, name, source):
    """What changes with the lessons is made from the notebooks each time (`fill_in`); see also `fold_bootstrap`."""
    if name.startswith("docs/"):
        source[0] = fill_in(source[0])
    elif name.startswith("notebooks/"):
        source[0] = fold_bootstrap(source[0])
    if name.startswith("notebooks/solutions/"):
        source[0] = source[0].replace('"# Exercises ', '"# Solutions ', 1)  # both have one title in the notebooks


def add_buttons(app, page, template, context, doctree):
    """Colab and Binder in every page's header. The theme's own know only one branch, and no page without code."""
    links = launch_links(page, address, branch)
    icons = {"Colab": "_static/images/logo_colab.png", "Binder": "_static/images/logo_binder.svg"}
    buttons = [
        {"type": "link", "url": url, "text": name, "icon": icons[name], "tooltip": f"Open in {name}"}
        for name, url in links.items()
    ]
    if buttons and "header_buttons" in context:
        group = {"type": "group", "tooltip": "Run it yourself", "icon": "fas fa-rocket", "buttons": buttons}
        context["header_buttons"].insert(0, {**group, "label": "launch-buttons"})


def add_mathjax(app, exception):
    """One file out of the package that carries MathJax for Sphinx; its other files are fonts that SVG does without."""
    if exception is None:
        files = importlib.metadata.files("sphinx-mathjax-offline")
        (bundle,) = [file for file in files if file.name == "tex-svg-full.js"]
        folder = Path(app.outdir) / "_static" / "mathjax"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(bundle.locate(), folder)


def setup(app):
    app.connect("source-read", prepare)
    app.connect("html-page-context", add_buttons, priority=502)  # after the theme has made its own list
    app.connect("build-finished", add_mathjax)
