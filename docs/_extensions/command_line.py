"""The directive ``command-line``: what ``polymarket-ws`` and its commands say with ``--help``."""

# ruff: noqa: INP001  a module for Sphinx alone

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

if TYPE_CHECKING:
    import click

#: What an 80-column terminal shows.
_WIDTH = 78


class CommandLine(Directive):
    """The help of the command itself, then a section for each of its commands."""

    def run(self) -> list[nodes.Node]:
        """Return the texts, each as one block."""
        import click

        from polymarket_ws.cli.commands import NAME, polymarket_ws

        top = click.Context(
            polymarket_ws,
            info_name=NAME,
            terminal_width=_WIDTH,
            max_content_width=_WIDTH,
            **polymarket_ws.context_settings,
        )
        sections: list[nodes.Node] = []
        for name, command in _commands(top):
            section = nodes.section("", nodes.title(name, name), ids=[name])
            section += _help(click.Context(command, top, info_name=name))
            sections.append(section)
        return [*_help(top, alone=True), *sections]


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    import click

    if isinstance(group := context.command, click.Group):
        for name in group.list_commands(context):
            if (command := group.get_command(context, name)) is not None:
                yield name, command


def _help(context: click.Context, *, alone: bool = False) -> list[nodes.Node]:
    import click

    text = context.get_help()
    blocks: list[nodes.Node] = [nodes.literal_block(text, text, language="text")]
    if not alone:
        for name, command in _commands(context):
            blocks += _help(click.Context(command, context, info_name=name))
    return blocks


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
