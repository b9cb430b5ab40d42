"""Parts of events that come by the thousand: stored by msgspec, described to attrs."""

from __future__ import annotations

import inspect
from typing import TypeVar

import attr
import msgspec

__all__ = ["known_to_attrs"]

S = TypeVar("S", bound=msgspec.Struct)


def known_to_attrs(cls: type[S]) -> type[S]:
    """Let ``attrs.fields``, ``asdict``, ``evolve`` and cattrs take a struct for what it looks like.

    attrs adds its description and nothing else: how instances are made, compared, hashed and
    shown stays msgspec's, which says the same.
    """
    parameters = inspect.signature(cls).parameters
    fields = {
        field.name: attr.ib(
            default=attr.NOTHING if field.required else field.default,
            kw_only=parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY,
        )
        for field in msgspec.structs.fields(cls)
    }
    described: type[S] = attr.s(these=fields, init=False, repr=False, eq=False, match_args=False)(
        cls
    )
    return described
