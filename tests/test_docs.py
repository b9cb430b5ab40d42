from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "polymarket_ws"
ARCHITECTURE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def drawn() -> set[str]:
    """Return every path in the drawing of the house, below the package."""
    drawing = ARCHITECTURE.partition("```\npolymarket_ws/\n")[2].partition("```")[0]
    found = set()
    room = ""
    for line in drawing.splitlines():
        indent = len(line) - len(line.lstrip())
        names = re.findall(r"[a-z_]+(?:\.py|/)", line)
        if indent == 2:
            room = names[0] if names[0].endswith("/") else ""
            found.update(names[:1] if room else names)
        else:
            found.update(room + name for name in names)
    return found


def test_house_is_drawn_with_rooms_that_exist() -> None:
    missing = [path for path in sorted(drawn()) if not (PACKAGE / path).exists()]
    assert not missing
    assert {"client.py", "transport/connection.py", "simulator/"} <= drawn()


def test_locks_of_the_core_are_those_in_the_table() -> None:
    makes_a_lock = re.compile(r"(self\.\w+) = threading\.(?:RLock|Lock|Condition)\(")
    told = {
        "bell.py": {"self._lock"},
        "daemons.py": {"self.lock"},
        "engine.py": {"self.lock"},
        "delivery.py": {"self._lock"},
        "observers.py": {"self._lock"},
        "transport/connection.py": {"self._ending"},
        "transport/opening.py": {"self._ssl_lock"},
        "transport/readiness.py": {"self._waking"},
        "transport/spacing.py": {"self._lock"},
    }
    made = {
        path.relative_to(PACKAGE).as_posix(): locks
        for folder in (PACKAGE, PACKAGE / "protocol", PACKAGE / "transport")
        for path in folder.glob("*.py")
        if (locks := set(makes_a_lock.findall(path.read_text(encoding="utf-8"))))
    }
    assert made == told


def test_paths_that_are_named_in_the_text_exist() -> None:
    named = re.findall(r"`((?:transport|simulator|cli|tests)/[\w/]+\.py)`", ARCHITECTURE)
    assert named
    for path in named:
        assert (ROOT / path).is_file() or (PACKAGE / path).is_file(), path
