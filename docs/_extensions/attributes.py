"""Attributes of attrs classes that their docstring does not explain are listed all the same.

And what stands before a colon in the docstring of a property is no type: those are annotated.
"""

# ruff: noqa: INP001  a module for Sphinx alone

from __future__ import annotations

import re
from typing import Any

import attrs
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject

#: Before napoleon, which has Sphinx's usual 500.
_PRIORITY = 400


def _complete(*arguments: Any) -> None:
    """Change the lines of a docstring in place: the last argument of autodoc's event."""
    _, what, _, described, _, lines = arguments
    if what == "property" and ":" in lines[0]:
        # An empty comment: napoleon looks for a type in the first line only.
        lines[:0] = ["..", ""]
    if what != "class" or not isinstance(described, type) or not attrs.has(described):
        return
    own = [field for field in attrs.fields(described) if not field.inherited]
    explained = {found[1] for line in lines if (found := re.match(r" {4}(\w+)(?: \(.*\))?:", line))}
    missing = [field for field in own if field.name not in explained]
    if not missing:
        return
    if "Attributes:" not in lines:
        lines += ["", "Attributes:"]
    position = lines.index("Attributes:") + 1
    while position < len(lines) and (lines[position].startswith(" ") or not lines[position]):
        position += 1
    while not lines[position - 1]:
        position -= 1
    lines[position:position] = [
        f"    {field.name}: "
        + (f"``{field.default!r}`` on the wire." if field.name == "event_type" else "")
        for field in missing
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook, and call attributes by their name."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-docstring", _complete, priority=_PRIORITY)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
