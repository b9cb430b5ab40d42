"""What the pages show is what runs.

They use five kinds of fenced blocks:

* ``python``: run in order, in one namespace a page, in a fresh interpreter.
* ``{code-block}`` with a ``:caption:``: a file of that name, for the commands below it.
* ``output``: exactly what the block of Python or of commands above it printed; ``…`` stands for
  anything. ``output like``: other numbers, sides and outcomes will do.
* ``console``: the lines after ``$`` are run by a shell, but for ``pip install``.
* ``python no-run`` and ``console no-run``: not run. The first line is a comment that says why.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.conftest import scaled
from tests.ports import unused_port

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))

#: Told between two blocks, so that the output of each is known. No page prints it.
_RULER = "\x1e"

#: The port in the pages. Something may listen there already, so another one is taken.
_PORT = "8765"

_KNOWN = ("python", "python no-run", "console", "console no-run", "output", "output like")

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)


@attrs.frozen
class Block:
    """One fenced block of a page; ``line`` is that of its first line, from 1."""

    info: str
    body: str
    line: int

    @property
    def caption(self) -> str | None:
        found = re.match(r"(?::.*\n)*?:caption: (\S+)\n", self.body)
        return found[1] if found else None

    @property
    def code(self) -> str:
        """The body without the options of a directive."""
        return re.sub(r"\A(:[a-z-]+:.*\n)+\n*", "", self.body)


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["info"].strip(), found["body"], text.count("\n", 0, found.start("body")) + 1)
        for found in _FENCE.finditer(text)
    ]


def pages_with(*infos: str) -> pytest.MarkDecorator:
    pages = [page for page in PAGES if any(block.info in infos for block in blocks(page))]
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


def matches(printed: str, block: Block) -> bool:
    pattern = ".*".join(re.escape(part) for part in block.body.strip().split("…"))
    if block.info == "output like":
        pattern = re.sub(r"\d+", r"\\d+", pattern)
        pattern = re.sub("BUY|SELL", "(BUY|SELL)", pattern)
        pattern = re.sub("Yes|No", "(Yes|No)", pattern)
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of the page lie, and its Python and commands run."""
    folder = tmp_path / "page"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Commands named as in the pages, from this source tree."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, arguments in (
        ("python", ""),
        ("polymarket-ws", "-m polymarket_ws.cli"),
        # Without the entry point: it is there only where the package is installed.
        ("pytest", "-m pytest -p polymarket_ws.simulator.pytest_plugin -p no:cacheprovider"),
    ):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "NO_COLOR": "1",
    }


def run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a command; return its exit code, and what it wrote on stdout and stderr."""
    texts = (folder.parent / "stdout", folder.parent / "stderr")
    with texts[0].open("wb") as stdout, texts[1].open("wb") as stderr:
        # Into files, and in a session of its own: what it started in the background could hold
        # a pipe open for ever, and is ended with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            process.wait(scaled(60.0))
        finally:
            process.kill()
            if os.name != "nt":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, *(text.read_text(encoding="utf-8") for text in texts)


@pages_with("python")
def test_python_runs_and_prints_what_the_page_says(
    page: Path, folder: Path, environment: dict[str, str]
) -> None:
    found = blocks(page)
    shown = [block for block in found if block.info == "python"]
    # Lines keep their numbers: a traceback points into the page.
    lines = [""] * page.read_text(encoding="utf-8").count("\n")
    for block in shown:
        own = block.body.split("\n")[:-1]
        lines[block.line - 1 : block.line - 1 + len(own)] = own
        lines[block.line - 1 + len(own)] = f"print({_RULER!r}, flush=True)"
    script = folder / "page.py"
    script.write_text("\n".join(lines).replace(_PORT, str(unused_port())), encoding="utf-8")

    # -X dev -W error: a leaked socket or a deprecated call must not be taught.
    command = [sys.executable, "-X", "dev", "-W", "error", str(script)]
    code, stdout, stderr = run(command, folder, environment)

    assert code == 0, f"{page.name}:\n{stdout}\n{stderr}"
    printed = iter(stdout.split(f"{_RULER}\n"))
    last: str | None = None
    for block in found:
        if block.info in ("python", "console"):
            last = next(printed) if block.info == "python" else None
        elif block.info in ("output", "output like") and last is not None:
            assert matches(last, block), f"{page.name}:{block.line} printed:\n{last}"


@pytest.mark.skipif(os.name == "nt", reason="the pages speak to a POSIX shell")
@pages_with("console")
def test_commands_run_and_print_what_the_page_says(
    page: Path, folder: Path, environment: dict[str, str]
) -> None:
    port = str(unused_port())
    last: str | None = None
    for block in blocks(page):
        if block.caption is not None:
            place = folder / block.caption
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.code, encoding="utf-8")
        elif block.info == "console":
            commands = re.findall(r"^\$ (.*)$", block.body, re.MULTILINE)
            assert commands, f"{page.name}:{block.line} has no line that begins with $"
            script = "\n".join(line for line in commands if not line.startswith("pip install"))
            # As on a terminal: what is said on stderr is seen where it is said.
            script = re.sub(
                r"(?<=TERM )\d+|(?<=--max-time )\d+",
                lambda told: f"{scaled(float(told[0])):g}",
                script,
            )
            script = f"exec 2>&1\n{script.replace(_PORT, port)}"
            code, last, _ = run(["sh", "-ec", script], folder, environment)
            assert code == 0, f"{page.name}:{block.line}:\n{last}"
        elif block.info == "python":
            last = None
        elif block.info in ("output", "output like") and last is not None:
            assert matches(last, block), f"{page.name}:{block.line} printed:\n{last}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        kind = block.info.split()[0] if block.info else ""
        if kind in ("python", "console", "output", "sh", "bash", "shell"):
            known = (
                "python",
                "console",
                "output",
                "output like",
                "python no-run",
                "console no-run",
            )
            assert block.info in known, where
        if block.info.endswith("no-run"):
            assert block.body.startswith("# "), f"{where} does not begin with the reason"
        if kind == "python" or block.info == "{code-block} python":
            ast.parse(block.code)


def test_few_blocks_are_not_run() -> None:
    found = [block.info for page in PAGES for block in blocks(page)]
    assert found.count("python no-run") * 10 <= found.count("python")
