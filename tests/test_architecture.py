from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import polymarket_ws
from polymarket_ws import errors, events

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "polymarket_ws"

# From the ground up. A module imports from rows below its own, or from its own room
# (a package). Rooms stand for all their modules, but for those named on their own.
LAYERS = [
    {"_version", "bell", "daemons", "errors"},
    {"endpoints", "events", "market_info", "proxies", "transport.deadline"},
    {"book_hash", "health", "instrumentation", "signing", "spelling", "subscriptions"},
    {"api_key", "conversion"},
    {"book_side", "book_snapshot", "credentials", "hand", "overflow", "request"},
    {"delivery"},
    {"budget"},
    {"authentication", "book", "protocol", "rest", "simulator"},
    {"account", "journal"},
    {"past", "recording", "recovery"},
    {"routing"},
    {"transport"},
    {"observers", "settings"},
    {"engine", "stream"},
    {"client"},
    {"integrations"},
    {"cli"},
]

# Upward, and only when called.
EXCEPTIONS = {
    ("events.event", "conversion"),  # Event.to_json() is what users look for on the event
}

NO_OUTSIDE_WORLD = {
    "asyncio",
    "queue",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "ssl",
    "threading",
    "time",
    "websocket",
}


@attrs.frozen
class Import:
    """One imported module, and how it is imported."""

    line: int
    module: str
    level: int
    typing_only: bool


@attrs.frozen
class Module:
    path: Path

    @property
    def name(self) -> str:
        """The dotted name below the package; a package stands for its ``__init__``."""
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    def imports(self) -> tuple[Import, ...]:
        return imports_of(self)

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


# Most rules ask for them. The trees are not kept: they are large, and every later test of the
# process would pay for them in each collection of garbage.
@functools.cache
def imports_of(module: Module) -> tuple[Import, ...]:
    return tuple(_found_in(module.tree))


def _found_in(tree: ast.Module) -> Iterator[Import]:
    typing_only = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
        for statement in guard.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        hidden = id(node) in typing_only
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, 0, hidden)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            for alias in node.names:
                # `from package import module` is an import of that module.
                inner = f"{source}.{alias.name}"
                name = inner if is_module(inner) else source
                yield Import(node.lineno, name, node.level, hidden)


@functools.cache
def is_module(dotted: str) -> bool:
    place = ROOT.joinpath(*dotted.split("."))
    return place.with_suffix(".py").is_file() or place.is_dir()


def modules() -> list[Module]:
    return [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def inside(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def layer(name: str) -> int | None:
    """Return the row of a module: that of its longest entry in the table."""
    entries = {entry: row for row, entries in enumerate(LAYERS) for entry in entries}
    while name:
        if name in entries:
            return entries[name]
        name = name.rpartition(".")[0]
    return None


def room(name: str) -> str:
    """Return the package that a module lives in; a module of the top is a room of its own."""
    return name.split(".", maxsplit=1)[0]


def test_every_module_has_its_place_in_the_table_of_layers() -> None:
    missing = [module.name for module in modules() if module.name and layer(module.name) is None]
    assert not missing, "\n".join(missing)


def test_nobody_imports_upward() -> None:
    wrong = []
    for module in modules():
        if not module.name:
            continue
        for found in module.imports():
            if found.typing_only or not found.module.startswith("polymarket_ws."):
                continue
            target = found.module.removeprefix("polymarket_ws.")
            own, other = layer(module.name), layer(target)
            if room(target) == room(module.name) or (module.name, target) in EXCEPTIONS:
                continue
            if own is None or other is None or other >= own:
                wrong.append(f"{module.at(found.line)} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_exceptions_to_the_layers_are_still_needed() -> None:
    used = {
        (module.name, found.module.removeprefix("polymarket_ws."))
        for module in modules()
        for found in module.imports()
    }
    assert used >= EXCEPTIONS


def test_package_itself_imports_nothing_but_its_version() -> None:
    (top,) = [module for module in modules() if not module.name]
    eager = {found.module for found in top.imports() if not found.typing_only}
    assert eager == {"__future__", "typing", "polymarket_ws._version", "importlib"}


@pytest.mark.parametrize(
    ("rooms", "forbidden"),
    [
        ({"protocol"}, NO_OUTSIDE_WORLD),
        ({"book", "book_hash", "book_side", "book_snapshot"}, NO_OUTSIDE_WORLD),
        ({"transport.frames"}, NO_OUTSIDE_WORLD - {"websocket"}),  # it formats frames
    ],
)
def test_pure_rooms_know_no_socket_thread_clock_or_chance(
    rooms: set[str], forbidden: set[str]
) -> None:
    judged = [module for module in modules() if inside(module.name, rooms)]
    assert judged
    wrong = [
        f"{module.at(found.line)} imports {found.module}"
        for module in judged
        for found in module.imports()
        if inside(found.module, forbidden)
    ]
    wrong += [
        f"{module.at(node.lineno)} reads the clock"
        for module in judged
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("now", "utcnow", "today")
        and ast.unparse(node.value) in ("datetime", "date")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("foreign", "rooms"),
    [
        ("websocket", {"transport"}),
        ("urllib3", {"request"}),
        ("keyring", {"credentials", "cli"}),
        ("cattrs", {"conversion"}),
        ("websockets", {"simulator"}),
        ("click", {"cli", "integrations.flask"}),
        ("flask", {"cli", "integrations.flask"}),
        ("werkzeug", {"cli.serve", "integrations.flask"}),
        ("rich", {"cli"}),
        ("pytest", {"simulator.pytest_plugin"}),
        ("django", {"integrations.django"}),
        ("asgiref", {"integrations.django.streaming"}),
        # An ASGI server has a loop already: what it waits for must not be a thread.
        ("asyncio", {"integrations.django.streaming"}),
    ],
)
def test_foreign_package_is_imported_in_its_rooms_only(foreign: str, rooms: set[str]) -> None:
    wrong = [
        module.at(found.line)
        for module in modules()
        for found in module.imports()
        if inside(found.module, {foreign}) and not inside(module.name, rooms)
    ]
    assert not wrong, "\n".join(wrong)


def test_urllib3_is_only_imported_on_first_use() -> None:
    wrong = [
        module.at(node.lineno)
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "polymarket_ws.request"
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_are_absolute_and_the_path_is_left_alone() -> None:
    wrong = []
    for module in modules():
        wrong += [module.at(found.line) for found in module.imports() if found.level]
        wrong += [
            module.at(node.lineno)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("sys.path", "sys.modules", "os.chdir")
        ]
    assert not wrong, "\n".join(wrong)


def test_nothing_sleeps_prints_or_swallows() -> None:
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "sleep",
                "time.sleep",
                "breakpoint",
            ):
                wrong.append(f"{module.at(node.lineno)} calls {ast.unparse(node.func)}")
            if isinstance(node, ast.ExceptHandler):
                caught = "" if node.type is None else ast.unparse(node.type)
                empty = all(isinstance(inner, (ast.Pass, ast.Continue)) for inner in node.body)
                if caught == "" or (empty and caught in ("Exception", "BaseException")):
                    wrong.append(f"{module.at(node.lineno)} swallows exceptions")
    assert not wrong, "\n".join(wrong)


def test_no_state_of_the_process_is_changed() -> None:
    banned = (
        "socket.setdefaulttimeout",
        "websocket.enableTrace",
        "enableTrace",
        "logging.basicConfig",
        "signal.signal",
    )
    wrong = [
        f"{module.at(node.lineno)} calls {ast.unparse(node.func)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in banned
        # The command line is an application, with a terminal to put in order; so is a command
        # of Django's, which a supervisor stops.
        if not (
            (room(module.name) == "cli" or module.name == "integrations.django.stopping")
            and ast.unparse(node.func) == "signal.signal"
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_has_more_than_600_lines() -> None:
    long = {
        module.name: lines
        for module in modules()
        if (lines := len(module.path.read_text(encoding="utf-8").splitlines())) > 600
    }
    assert long == {}


def test_every_module_has_a_test_file_of_its_name_at_its_place() -> None:
    missing = []
    for module in modules():
        if module.path.name in ("__init__.py", "__main__.py", "_version.py"):
            continue
        place = module.path.relative_to(PACKAGE)
        twin = ROOT / "tests" / place.with_name(f"test_{place.name.lstrip('_')}")
        if not twin.is_file():
            missing.append(str(twin.relative_to(ROOT)))
    assert not missing, "\n".join(missing)


def test_every_module_has_a_docstring_and_future_annotations() -> None:
    wrong = []
    for module in modules():
        tree = module.tree
        futures = {found.module for found in module.imports()}
        if ast.get_docstring(tree) is None:
            wrong.append(f"{module.name}: no docstring")
        defines = any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body)
        if defines and "__future__" not in futures:
            wrong.append(f"{module.name}: annotations are evaluated")
    assert not wrong, "\n".join(wrong)


# The public names.


@pytest.mark.parametrize("name", polymarket_ws.__all__)
def test_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(polymarket_ws, name)
    if name != "__version__":
        assert inspect.getdoc(value)
        home = importlib.import_module(polymarket_ws._HOMES[name])
        assert name in home.__all__


def test_public_names_hold_every_event_and_every_error() -> None:
    assert set(events.__all__) <= set(polymarket_ws.__all__)
    assert set(errors.__all__) <= set(polymarket_ws.__all__)
    for module in ("event", "lifecycle", "market"):
        home = importlib.import_module(f"polymarket_ws.events.{module}")
        assert set(home.__all__) <= set(events.__all__)


def test_type_checkers_see_exactly_the_public_names() -> None:
    (top,) = [module for module in modules() if not module.name]
    seen = {
        alias.asname or alias.name: node.module
        for guard in ast.walk(top.tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
        for node in guard.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == polymarket_ws._HOMES
    assert sorted(polymarket_ws.__all__) == sorted([*seen, "__version__"])
    assert set(polymarket_ws.__all__) <= set(dir(polymarket_ws))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Klient'"):
        polymarket_ws.Klient  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        exec("from polymarket_ws import Klient", {})


def loaded_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after ``code``."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return set(run.stdout.split())


def test_importing_the_package_imports_almost_nothing() -> None:
    loaded = loaded_after("import polymarket_ws")
    assert {name for name in loaded if name.startswith("polymarket_ws")} == {
        "polymarket_ws",
        "polymarket_ws._version",
    }
    heavy = {"attrs", "cattrs", "click", "keyring", "msgspec", "rich", "urllib3", "websocket"}
    assert loaded & heavy == set()


@pytest.mark.parametrize(
    ("code", "unneeded"),
    [
        (
            "from polymarket_ws import Client, Market",
            {"cattrs", "click", "keyring", "rich", "urllib3", "websockets"},
        ),
        (
            "from polymarket_ws import lookup",
            {"cattrs", "click", "keyring", "urllib3", "websocket"},
        ),
        (
            "from polymarket_ws import OrderBook, Book, UsageError",
            {"cattrs", "keyring", "urllib3", "websocket", "socket"},
        ),
    ],
)
def test_importing_a_name_imports_only_what_it_needs(code: str, unneeded: set[str]) -> None:
    assert loaded_after(code) & unneeded == set()


def test_importing_everything_starts_no_thread() -> None:
    code = "import threading, polymarket_ws\nfrom polymarket_ws import *\n"
    loaded_after(f"{code}assert threading.active_count() == 1")


def test_every_version_is_the_same() -> None:
    version = polymarket_ws.__version__
    assert re.search(
        rf"^## \[{re.escape(version)}\]",
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    try:
        installed = importlib.metadata.version("polymarket-ws")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert installed == version
