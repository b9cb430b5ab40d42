"""How the documentation is built: Sphinx, MyST and furo, as they come."""

# ruff: noqa: INP001  no package, and Sphinx wants this name
from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

project = "polymarket-ws"
author = "polymarket-ws contributors"
project_copyright = author
_version = (HERE.parent / "polymarket_ws" / "_version.py").read_text(encoding="utf-8")
release = version = re.findall(r'^__version__ = "([^"]+)"$', _version, re.MULTILINE)[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "attributes",
    "command_line",
    "public_names",
]
exclude_patterns = ["_build"]

# -- pages ------------------------------------------------------------------------------------

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "attrs_inline"]
suppress_warnings = []
nitpicky = True
# What signatures name and no page describes: type variables, and what is not for users.
nitpick_ignore_regex = [
    (r"py:.*", r"(.*\.)?(E|E_co|F|M|Self|Any)"),
    (r"py:.*", r"(collections\.abc|contextlib|datetime|decimal|enum|os|ssl|types|typing)\..*"),
    (r"py:.*", r"(Callable|Decimal|Enum|Iterable|Iterator|Mapping|PathLike|datetime)"),
    (r"py:class", r"(bool|bytes|dict|ellipsis|float|frozenset|int|list|object|set|str|tuple|type)"),
    (r"py:(class|exc)", r"(Exception|KeyboardInterrupt|OSError|TimeoutError|ValueError)"),
]

# -- reference from docstrings ------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# -- what it looks like ---------------------------------------------------------------------------

html_theme = "furo"
html_title = "polymarket-ws"
html_static_path = ["_static"]
html_css_files = ["quiet.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"font-stack--monospace": "ui-monospace, Menlo, Consolas, monospace"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
