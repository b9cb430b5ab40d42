"""The directive ``public-names``: every public name of some modules, in the order of their source.

A name that is new in the package is described without anybody having to think of it. What
signatures name beside that, and is real but not public, stays plain text.
"""

# ruff: noqa: INP001  a module for Sphinx alone

from __future__ import annotations

import inspect
import pydoc
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class PublicNames(SphinxDirective):
    """Describe what ``polymarket_ws.__all__`` has of the modules named as arguments.

    Options:
        made: the classes that users make themselves. Of others the constructor is not shown.
    """

    required_arguments = 1
    optional_arguments = 20
    option_spec: ClassVar[dict[str, Any]] = {"made": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the descriptions, or a sentence that there are none."""
        import polymarket_ws

        made = self.options.get("made", "").split()
        homes = [f"polymarket_ws.{module}" for module in self.arguments]
        public = [(name, getattr(polymarket_ws, name)) for name in polymarket_ws.__all__]
        found = [
            (homes.index(value.__module__), inspect.getsourcelines(value)[1], name, value)
            for name, value in public
            if getattr(value, "__module__", None) in homes
        ]
        if not found:
            return [nodes.paragraph("", "Not in this version yet.")]
        lines = ["````{eval-rst}"]
        for _, _, name, value in sorted(found, key=lambda item: item[:2]):
            kind, signature = "autofunction", ""
            if isinstance(value, type):
                kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
                signature = "" if name in made else "()"
            lines += [f".. {kind}:: polymarket_ws.{name}{signature}"]
            lines += ["   :members:", ""] if kind == "autoclass" else [""]
        lines.append("````")
        container = nodes.container()
        self.state.nested_parse(StringList(lines, "public-names"), self.content_offset, container)
        return container.children


def _internal(*arguments: Any) -> nodes.Node | None:
    """Answer Sphinx's event ``missing-reference``: the text without a link, for what there is."""
    _, _, reference, text = arguments
    target: str = reference.get("reftarget", "")
    public = not target.startswith("polymarket_ws.") or target.count(".") == 1
    return None if public or pydoc.locate(target) is None else text


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("public-names", PublicNames)
    app.connect("missing-reference", _internal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
