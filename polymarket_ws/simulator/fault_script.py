"""Scripts of faults as JSON, for the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from polymarket_ws.errors import UsageError
from polymarket_ws.simulator.fault_plan import At
from polymarket_ws.simulator.faults import FAULTS

__all__ = ["read_faults"]

_WHEN = tuple(field.name for field in attrs.fields(At) if field.name != "fault")


def read_faults(path: str | os.PathLike[str]) -> tuple[At, ...]:
    """Read a script of faults.

    The file is a JSON list of objects. ``"fault"`` is the name of a class; beside it stand the
    arguments of that class and those of :class:`At`::

        [{"fault": "Mute", "connection": 1, "messages": 20},
         {"fault": "Refuse", "status": 429, "retry_after": 1, "connection": 2}]

    Raises:
        UsageError: the file cannot be read, or an entry makes no sense; the text says which.
    """
    name = repr(os.fspath(path))
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the faults {name} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the faults {name} are no JSON: {error}") from error
    if not isinstance(entries, list):
        raise UsageError(f"the faults {name} are no list")
    script: list[At] = []
    try:
        for entry in entries:
            script.append(_entry(entry))  # noqa: PERF401  how many there are tells which one it is
    except UsageError as error:
        raise UsageError(f"fault {len(script) + 1} of {name}: {error}") from error
    return tuple(script)


def _entry(entry: object) -> At:
    if not isinstance(entry, Mapping):
        raise UsageError(f'wanted is an object such as {{"fault": "Mute"}}, not {entry!r}')
    kind = FAULTS.get(str(entry.get("fault")))
    if kind is None:
        names = ", ".join(FAULTS)
        raise UsageError(f'there is no "fault" {entry.get("fault")!r}, there are {names}')
    fields = attrs.fields_dict(kind)
    arguments = {key: value for key, value in entry.items() if key in fields}
    when: dict[str, Any] = {key: value for key, value in entry.items() if key in _WHEN}
    for key in entry:
        if key != "fault" and key not in arguments and key not in when:
            names = ", ".join((*fields, *_WHEN))
            raise UsageError(f"{kind.__name__} has no {key!r}, it has {names}")
    for key, field in fields.items():
        if field.default is attrs.NOTHING and key not in arguments:
            raise UsageError(f"{kind.__name__} needs {key!r}")
    return At(kind(**arguments), **when)
