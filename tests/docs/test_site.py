"""The built pages: no warning, no dead link, nothing public left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import polymarket_ws
from polymarket_ws.subscriptions import Subscription
from tests.conftest import scaled

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HTML, built as ``tox -e docs`` does: every warning is an error."""
    for needed in ("sphinx", "myst_parser", "furo", "click"):
        pytest.importorskip(needed, reason=f"{needed} is not installed: the extra docs has it")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q"]
    command += ["-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")]
    built = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1"},
        timeout=scaled(100.0),
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


class Page(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        loaded = values.get("href" if tag == "link" else "src", "")
        if tag in ("img", "link", "script") and loaded:
            self.loads.append(loaded)


def links(site: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(site.rglob("*.html")):
        page = Page(path)
        for link in page.links + page.loads:
            yield path, link


def test_links_within_the_pages_lead_somewhere(site: Path) -> None:
    ids = {path: Page(path).ids for path in site.rglob("*.html")}
    dead = []
    for path, link in links(site):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file() or unquote(parts.fragment) not in {"", *ids.get(target, ())}:
            dead.append(f"{path.name} -> {link}")
    assert site / "index.html" in ids
    assert not dead


def test_links_to_elsewhere_are_well_formed(site: Path) -> None:
    # There may be no network where tests run: only what can be seen in the address.
    for path, link in links(site):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme == "https", f"{path.name} links to {link}"
            assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), link
            assert link.isascii(), f"{path.name} links to {link}"


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        for address in Page(path).loads:
            assert not urlsplit(address).netloc, f"{path.name} loads {address}"


def test_reference_has_every_public_name(site: Path) -> None:
    # Four lines of text, then lines of "name domain:role …", compressed.
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    inventory = [line.split() for line in zlib.decompress(packed).decode().splitlines()]
    described = {name for name, role, *_ in inventory if role.startswith("py:")}
    public = {f"polymarket_ws.{name}" for name in polymarket_ws.__all__ if name != "__version__"}
    missing = public - described
    assert not missing, "describe them in docs/reference-*.md: " + ", ".join(sorted(missing))


def test_reference_has_every_command(site: Path) -> None:
    from polymarket_ws.cli.commands import COMMANDS

    assert Page(site / "reference" / "cli.html").ids >= set(COMMANDS)


def test_feature_matrix_has_the_channels_that_there_are() -> None:
    text = (DOCS / "reference" / "features.md").read_text(encoding="utf-8")
    matrix = text.partition("## ")[0]
    told = set(re.findall(r"^\|[^|]+\| `(\w+)`", matrix, re.MULTILINE))
    public = [getattr(polymarket_ws, name) for name in polymarket_ws.__all__]
    real = {
        item.__name__
        for item in public
        if isinstance(item, type) and issubclass(item, Subscription) and item is not Subscription
    }
    assert told == real, "docs/reference/features.md and the code differ"
