"""The page and its assets, out of the package's own folder ``page``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from polymarket_ws.integrations.answers import Answer, json_answer

__all__ = ["asset"]

_FOLDER: Final = Path(__file__).resolve().parent / "page"

#: One name without a folder: what matches cannot lead out of the one above.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")

#: Nothing else is served. Not from the system's table, which differs between machines.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

#: Nothing from elsewhere, nothing inline, no frame around it.
_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


def asset(name: str, if_none_match: str | None = None) -> Answer:
    """Return one file of the page.

    Args:
        name: of the file, such as ``index.html``.
        if_none_match: the header of that name.
    """
    kind = _TYPES.get(Path(name).suffix) if _NAME.fullmatch(name) else None
    path = _FOLDER / name
    if kind is None or not path.is_file():
        return json_answer(404, {"error": "there is no such file"})
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = (
        ("Content-Type", kind),
        ("Content-Security-Policy", _POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        # Names stay the same between versions: always ask, and be told 304.
        ("Cache-Control", "no-cache"),
        ("ETag", tag),
    )
    if if_none_match is not None and tag in (
        # A proxy that compresses makes the tag a weak one.
        word.strip().removeprefix("W/")
        for word in if_none_match.split(",")
    ):
        return Answer(304, headers, [])
    return Answer(200, headers, [content])
