from __future__ import annotations

from pathlib import Path

import pytest

from polymarket_ws.integrations import pages
from polymarket_ws.integrations.pages import asset

FOLDER = Path(pages.__file__).parent / "page"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.is_file())


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_page_is_served_with_a_type_and_a_policy(name: str) -> None:
    answer = asset(name)
    headers = dict(answer.headers)
    assert answer.status == 200, f"add the type of {name} to pages.py"
    assert b"".join(answer.body) == (FOLDER / name).read_bytes()
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


def test_there_is_a_page_that_needs_no_inline_script() -> None:
    assert "index.html" in FILES
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "<style" not in text
    assert " on" + "click=" not in text
    assert "http://" not in text.replace("http://www.w3.org/", "")


@pytest.mark.parametrize(
    "name",
    [
        "../pages.py",
        "..%2fpages.py",
        "/etc/passwd",
        "..",
        ".",
        "",
        ".hidden.js",
        "index.html/",
        "page/index.html",
        "..\\pages.py",
        "index.html\0.js",
        "index.py",
        "nothing.js",
    ],
)
def test_nothing_else_is_served(name: str) -> None:
    assert asset(name).status == 404


def test_what_the_browser_has_is_not_sent_again() -> None:
    answer = asset("index.html")
    tag = dict(answer.headers)["ETag"]
    for header in (tag, f'"old", {tag}', f"W/{tag}"):
        again = asset("index.html", header)
        assert (again.status, list(again.body)) == (304, [])
        assert dict(again.headers)["ETag"] == tag
    assert asset("index.html", '"old"').status == 200
