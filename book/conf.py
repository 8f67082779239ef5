"""Settings of the book; `classroom site` calls Sphinx with them in a folder that it fills."""

import os
from typing import Any

from latex2mathml.converter import convert

project = "Leverage, computed"
author = "The Leverage Course authors"
project_copyright = "The Leverage Course authors. Text and figures CC BY 4.0, code MIT"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxext.opengraph",
]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_mime_priority_overrides = [("html", "text/html", 0)]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_use_ivar = True
napoleon_google_docstring = False

html_theme = "sphinx_book_theme"
html_title = "Leverage, computed"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_favicon = "_static/favicon.svg"
html_baseurl = os.environ["SITE_ADDRESS"]
html_show_sourcelink = False
html_copy_source = False
html_domain_indices = False
html_theme_options = {
    "repository_url": os.environ["SITE_REPOSITORY"],
    "use_repository_button": True,
    "use_download_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
}
html_context = {"default_mode": "auto"}
ogp_site_url = html_baseurl
ogp_site_name = html_title
ogp_image = "_static/preview.png"
ogp_image_alt = "Leverage of 10x: a fall of 9.6 per cent ends the position."
ogp_social_cards = {"enable": False}


def mathml(node: Any) -> str:
    """Return a formula as MathML, which browsers draw and screen readers read without a script."""
    display = "block" if node.tagname == "math_block" else "inline"
    return convert(node.astext(), display=display)


def setup(app: Any) -> None:
    """Let formulas be MathML: no script, nothing fetched."""

    def inline(self: Any, node: Any) -> None:
        self.body.append(mathml(node))
        raise SkipNode

    def block(self: Any, node: Any) -> None:
        self.body.append(f'<div class="formula" tabindex="0">{mathml(node)}</div>')
        raise SkipNode

    from docutils.nodes import SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (block, None))


html_math_renderer = "mathml"
