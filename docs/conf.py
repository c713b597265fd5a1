"""Settings of the site: ``make docs`` builds it into docs/_build/html.

Sphinx, because it reads our numpy docstrings as they are and is kept up; the
theme is napari's, so that a napari user finds things where they are in napari's own pages.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import site_tables  # noqa: E402

import napari_anyir  # noqa: E402

project = "napari-anyir"
author = "napari-anyir developers"
copyright = author  # noqa: A001
release = version = napari_anyir.__version__.partition("+")[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_generated"]  # what lies in _generated is included by pages

html_theme = "napari_sphinx_theme"
html_title = "napari-anyir"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options: dict[str, Any] = {
    "icon_links": [
        {
            "name": "Source",
            "url": "https://github.com/napari-anyir/napari-anyir",
            "icon": "fa-brands fa-github",
        }
    ],
    "header_links_before_dropdown": 5,
    "footer_start": "",
    "footer_end": "",
}

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

default_role = "code"  # `names` in docstrings are code
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_ivar = True  # attributes of a class section and its properties are then told once
napoleon_use_ivar = True  # attributes of a class are told once, with its properties
napoleon_use_rtype = False
napoleon_preprocess_types = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

site_tables.write(HERE / "_generated")
