"""Settings of the guide's site; ``sphinx-build -c conf docs build/html`` reads them.

Everything the pages need is bundled: neither the site nor its build makes a request to another host.
"""

from __future__ import annotations

import inspect
import os
import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from pydoc import locate

from optguide.guide.build import EXAMPLES_VARIABLE
from optguide.guide.sphinxext.gallery import from_repository, gallery_settings
from optguide.openvino_release import DOCUMENTATION

ROOT = Path(__file__).resolve().parent.parent
PAGES_ONLY = os.environ.get("OPTGUIDE_PAGES_ONLY") == "1"


def _repository() -> str:
    """The repository's ``owner/name``: what CI says, otherwise what the package says."""
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    url: str = package["urls"]["Repository"]
    return os.environ.get("GITHUB_REPOSITORY") or url.removeprefix("https://github.com/")


REPOSITORY = _repository()
OWNER, NAME = REPOSITORY.split("/")

project = "OpenVINO Optimization Guide"
author = "The Optimization Guide developers"
copyright = f"{datetime.now(UTC).year}, {author}"
release = installed_version("optguide")
version = re.match(r"\d+\.\d+", release).group()  # type: ignore[union-attr]
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxext.opengraph",
    "notfound.extension",
    "optguide.guide.sphinxext",
]
exclude_patterns = [
    "gallery/**/GALLERY_HEADER.rst",
    "gallery/**/*.ipynb",
    "gallery/**/*.py",
    "gallery/**/*.md5",
]
templates_path = ["_templates"]

# -- pages ---------------------------------------------------------------------------------------------

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
# [text](ov:page.html) is a page of OpenVINO's documentation, of the one release that the package names.
myst_url_schemes = {"http": None, "https": None, "mailto": None, "ov": f"{DOCUMENTATION}{{{{path}}}}"}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
copybutton_exclude = ".linenos, .gp, .go"

nitpicky = True
nitpick_ignore_regex = [
    # Types of other projects. Their inventories would have to be fetched from the network, so the names stay
    # without link.
    (r"py:.*", r"(?!optguide\.).*"),
    # Protocols that say what a function reads of its argument; the argument's own class is documented.
    (r"py:class", r"optguide\.(\w+\.)*_\w+(\.\w+)?"),
]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Where the source of a documented object is; None for what has none, such as constants."""
    target = locate(f"{info['module']}.{info['fullname']}")
    try:
        file = Path(inspect.getsourcefile(target) or "").resolve().relative_to(ROOT)  # type: ignore[arg-type]
        line = inspect.getsourcelines(target)[1]  # type: ignore[arg-type]
    except (TypeError, ValueError, OSError):
        return None
    return f"https://github.com/{REPOSITORY}/blob/main/{file.as_posix()}#L{line}"


# -- measured numbers ----------------------------------------------------------------------------------

sphinx_gallery_conf = gallery_settings(
    ROOT, run=not PAGES_ONLY, names=os.environ.get(EXAMPLES_VARIABLE, "").split()
)

_requirement = from_repository("optguide[frameworks,models]", REPOSITORY)
sphinx_gallery_conf["first_notebook_cell"] = f'%pip install "{_requirement}"'

# -- the site ------------------------------------------------------------------------------------------

site_url = os.environ.get("OPTGUIDE_SITE_URL", f"https://{OWNER.lower()}.github.io/{NAME}/").rstrip("/") + "/"
smartquotes_action = "qe"  # no dashes: --budget is an option
html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_title = project
html_baseurl = site_url
html_static_path = ["_static"]
html_css_files = ["optguide.css"]
html_js_files = [("optguide.js", {"defer": "defer"})]
html_search_scorer = str(ROOT / "conf" / "_static" / "search-scores.js")
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
ALONE = (
    "index",
    "slow",
    "introduction",
    "install",
    "how-to-read-these-numbers",
    "command/index",
    "glossary",
    "claims",
    "models",
    "machine",
)
html_sidebars = {page: [] for page in ALONE}  # a list of neighbours would be empty there
html_context = {
    "github_user": OWNER,
    "github_repo": NAME,
    "github_version": "main",
    "doc_path": "docs",
    "default_mode": "auto",
}
html_theme_options = {
    "logo": {
        "text": "Optimization Guide",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo-dark.svg",
        "alt_text": "",
    },
    "github_url": f"https://github.com/{REPOSITORY}",
    "use_edit_page_button": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": True,
    "search_as_you_type": True,
    "navigation_depth": 3,
    "article_footer_items": ["measured-when"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "primary_sidebar_end": [],
    "secondary_sidebar_items": ["page-toc", "edit-this-page"],
    "back_to_top_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

ogp_site_url = site_url
ogp_site_name = project
ogp_enable_meta_description = True
ogp_social_cards = {"line_color": "#0068b5", "font": "DejaVu Sans"}  # bundled with matplotlib, in bold too

notfound_context = {
    "title": "Page not found",
    "body": (
        "<h1>Page not found</h1><p>There is no page at this address. The "
        f'<a href="{site_url}">start page</a> and the <a href="{site_url}search.html">search</a> lead on.</p>'
    ),
}
# GitHub Pages serves a project below its name; the 404 page has to know, since it is shown at any address.
notfound_urls_prefix = "/" + site_url.split("//", 1)[1].partition("/")[2]
