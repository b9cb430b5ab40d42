from __future__ import annotations

import contextlib
import copy
import inspect
import json
import logging
import os
import pickle
import pprint
import pydoc
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import attrs
import keyring
import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, NoKeyringError
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from polymarket_ws.credentials import SERVICE, Credentials
from polymarket_ws.errors import CredentialsNotFound, PolymarketWSError, UsageError
from polymarket_ws.signing import l2_signature
from tests.conftest import scaled
from tests.keyrings import Forgetful, Hanging, Memory, Refusing

Seconds = Callable[[float], float]

ROOT = Path(__file__).resolve().parents[1]

API_KEY = "4f9c1d2e-aaaa-bbbb-cccc-0123456789ab"
SECRET = "c3VwZXItc2VjcmV0LWJ5dGVzLW9mLWEta2V5ISEhIQ=="
PASSPHRASE = "9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e"
ADDRESS = "0x" + "aB" * 20

ENVIRONMENT = {
    "POLYMARKET_API_KEY": API_KEY,
    "POLYMARKET_API_SECRET": SECRET,
    "POLYMARKET_API_PASSPHRASE": PASSPHRASE,
    "POLYMARKET_ADDRESS": ADDRESS,
}
CLOB = {"CLOB_API_KEY": API_KEY, "CLOB_SECRET": SECRET, "CLOB_PASS_PHRASE": PASSPHRASE}
NAMES = [*ENVIRONMENT, "POLYMARKET_PASSPHRASE", *CLOB]


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(API_KEY, SECRET, PASSPHRASE, ADDRESS)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def using(backend: KeyringBackend) -> Iterator[None]:
    before = keyring.core._keyring_backend
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.core._keyring_backend = before


def hides(text: str) -> bool:
    """Return whether none of the secrets, nor a good part of one, is in ``text``."""
    return not any(value[5:17] in text for value in (API_KEY, SECRET, PASSPHRASE))


def with_locals(error: BaseException) -> str:
    """Return every traceback of ``error`` that shows local variables, this module's left out."""
    ours: list[str] = []
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None:
            continue
        links += (link.__cause__, link.__context__)
        frames = link.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        ours.append(f"{link!r} {link.args!r} {vars(link)!r}")
        kind = type(link)
        ours += traceback.TracebackException(kind, link, frames, capture_locals=True).format()
        if frames is not None:
            console = Console(file=StringIO(), width=500)
            console.print(
                Traceback.from_exception(
                    kind, link, frames, show_locals=True, locals_max_string=20, locals_max_length=99
                )
            )
            assert isinstance(console.file, StringIO)
            ours.append(console.file.getvalue())
    return "\n".join(ours)


# What is shown.


def test_repr_is_the_masked_key_and_the_address(credentials: Credentials) -> None:
    assert repr(credentials) == f"Credentials(api_key='4f9c…', address='{ADDRESS}')"
    assert str(credentials) == format(credentials) == f"{credentials}" == repr(credentials)


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        attrs.asdict,
        attrs.astuple,
        pprint.pformat,
        pretty_repr,
        pydoc.render_doc,
        inspect.getmembers,
        lambda c: [getattr(c, name) for name in dir(c) if name not in ("reveal", "l2_headers")],
        lambda c: json.dumps(attrs.asdict(c), default=repr),
        lambda c: "%s %r" % (c, c),  # noqa: UP031
        lambda c: c.reveal(),
        lambda c: c.l2_headers("GET", "/auth/api-keys"),
        lambda c: c.api_key,
        lambda c: c.masked_api_key,
        lambda c: c.source,
    ],
)
def test_nothing_that_shows_things_shows_the_secrets(
    credentials: Credentials, show: Callable[[Any], object]
) -> None:
    assert hides(str(show(credentials)))


def test_vars_are_not_there(credentials: Credentials) -> None:
    with pytest.raises(TypeError):
        vars(credentials)


def test_signature_of_from_env_shows_no_environment() -> None:
    assert "environ({" not in f"{inspect.signature(Credentials.from_env)}"
    assert "=None" in str(inspect.signature(Credentials.from_env)).replace(" ", "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(credentials: Credentials, protocol: int) -> None:
    with pytest.raises(UsageError, match="not pickled or copied.*Credentials.find"):
        pickle.dumps({"credentials": credentials}, protocol)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_copying_is_refused(credentials: Credentials, make: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="not pickled or copied"):
        make(credentials)


def test_they_cannot_be_changed(credentials: Credentials) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        credentials.address = None  # type: ignore[misc]


def test_logging_shows_nothing(credentials: Credentials, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        log = logging.getLogger("test")
        log.debug("%s %r %s", credentials, credentials.reveal(), credentials.api_key)
        log.debug(credentials.api_key)
    assert "<hidden>" in caplog.text
    assert hides(caplog.text)


# What they are for.


def test_reveal_has_the_wires_names(credentials: Credentials) -> None:
    frame = json.dumps({"auth": credentials.reveal(), "type": "user"})
    assert json.loads(frame)["auth"] == {
        "apiKey": API_KEY,
        "secret": SECRET,
        "passphrase": PASSPHRASE,
    }


def test_api_key_compares_with_the_owner_of_an_event(credentials: Credentials) -> None:
    assert credentials.api_key == API_KEY
    assert {credentials.api_key: "mine"}.get(API_KEY) == "mine"


def test_headers_sign_a_request(credentials: Credentials) -> None:
    headers = credentials.l2_headers("post", "/order?x=1", '{"a":1}', 1_700_000_000)
    signature = l2_signature(
        SECRET, timestamp=1_700_000_000, method="POST", path="/order", body='{"a":1}'
    )
    assert headers == {
        "POLY_ADDRESS": ADDRESS,
        "POLY_API_KEY": API_KEY,
        "POLY_PASSPHRASE": PASSPHRASE,
        "POLY_SIGNATURE": signature,
        "POLY_TIMESTAMP": "1700000000",
    }


def test_headers_are_of_now_by_default(credentials: Credentials) -> None:
    before = int(time.time())
    stamp = int(credentials.l2_headers("GET", "/data/orders")["POLY_TIMESTAMP"])
    assert before <= stamp <= time.time()


def test_headers_need_an_address() -> None:
    with pytest.raises(UsageError, match="POLYMARKET_ADDRESS"):
        Credentials(API_KEY, SECRET, PASSPHRASE).l2_headers("GET", "/data/orders")


def test_redact_replaces_each_secret(credentials: Credentials) -> None:
    text = f"{SECRET}{PASSPHRASE} of {API_KEY}, {ADDRESS}"
    assert credentials.redact(text) == f"<hidden><hidden> of <hidden>, {ADDRESS}"


def test_equal_values_are_equal_credentials(credentials: Credentials) -> None:
    same = Credentials.from_env(ENVIRONMENT)
    assert same == credentials
    assert hash(same) == hash(credentials)
    assert Credentials(API_KEY, SECRET, PASSPHRASE) != credentials
    assert Credentials(API_KEY, SECRET, PASSPHRASE + "0", ADDRESS) != credentials


# What they are made from.


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": "Sensitive value of a key"}, "api_key has white space"),
        ({"secret": "Sensitive,value"}, "secret is not base64url"),
        ({"secret": b"Sensitive"}, "secret takes text, not bytes"),
        ({"passphrase": '"Sensitive'}, "passphrase has white space, a quote"),
        ({"address": "0xSensitive"}, "address takes 0x and 40 hex digits"),
        ({"address": ""}, "address takes 0x and 40 hex digits"),
        ({"address": 7}, "address takes 0x and 40 hex digits"),
        ({"address": "0x" + "5e" * 32}, "64 are a private key"),
        ({"address": "5e" * 32}, "64 are a private key"),
    ],
)
def test_wrong_value_is_refused_by_name_and_nowhere_shown(
    fields: dict[str, Any], expected: str
) -> None:
    given = {"api_key": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE, **fields}
    with pytest.raises(UsageError, match=expected) as caught:
        Credentials(**given)
    everything = with_locals(caught.value)
    assert hides(everything)
    assert "Sensitive" not in everything
    assert "5e5e" not in everything


def test_wrapping_of_values_is_dropped(credentials: Credentials) -> None:
    wrapped = Credentials(f" {API_KEY}\n", f'"{SECRET}"', f"'{PASSPHRASE}'", f" {ADDRESS} ")
    assert wrapped == credentials


# The environment.


@pytest.mark.parametrize(
    "environ",
    [
        ENVIRONMENT,
        {**CLOB, "POLYMARKET_ADDRESS": ADDRESS},
        {
            "POLYMARKET_API_KEY": f'"{API_KEY}"',
            "POLYMARKET_API_SECRET": f"{SECRET}\n",
            "POLYMARKET_PASSPHRASE": PASSPHRASE,
            "POLYMARKET_API_PASSPHRASE": " ",
            "POLYMARKET_ADDRESS": ADDRESS,
        },
        {**ENVIRONMENT, "POLYMARKET_PASSPHRASE": "another"},
        {**ENVIRONMENT, "CLOB_API_KEY": "another", "CLOB_SECRET": "another"},
        {**CLOB, "POLYMARKET_API_KEY": "", "POLYMARKET_ADDRESS": ADDRESS},
    ],
)
def test_environment_has_them_under_every_name(
    environ: Mapping[str, str], credentials: Credentials
) -> None:
    assert Credentials.from_env(environ) == credentials


def test_environment_of_the_process_is_the_default(
    monkeypatch: pytest.MonkeyPatch, credentials: Credentials
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    found = Credentials.from_env()
    assert found == credentials
    assert found.source == (
        "the environment (POLYMARKET_API_KEY, POLYMARKET_API_SECRET, POLYMARKET_API_PASSPHRASE)"
    )


@pytest.mark.parametrize("address", [None, "", "  ", '""'])
def test_environment_may_have_no_address(address: str | None) -> None:
    environ = {**CLOB, **({} if address is None else {"POLYMARKET_ADDRESS": address})}
    assert Credentials.from_env(environ).address is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"POLYMARKET_API_KEY": API_KEY},
            "POLYMARKET_API_SECRET and POLYMARKET_API_PASSPHRASE are missing",
        ),
        (
            {**ENVIRONMENT, "POLYMARKET_API_SECRET": ""},
            "POLYMARKET_API_PASSPHRASE are set, POLYMARKET_API_SECRET (set, but empty) is missing",
        ),
        (
            {"CLOB_SECRET": SECRET, "CLOB_PASS_PHRASE": PASSPHRASE},
            "CLOB_SECRET and CLOB_PASS_PHRASE are set, CLOB_API_KEY is missing",
        ),
        (
            {"POLYMARKET_API_KEY": API_KEY, "CLOB_SECRET": SECRET, "CLOB_PASS_PHRASE": PASSPHRASE},
            "are not mixed",
        ),
        ({"POLYMARKET_API_KEY": API_KEY, **CLOB}, "CLOB_SECRET and CLOB_PASS_PHRASE are set"),
    ],
)
def test_part_of_a_triple_in_the_environment_names_what_is_missing(
    environ: Mapping[str, str], expected: str
) -> None:
    with pytest.raises(CredentialsNotFound) as caught:
        Credentials.from_env(environ)
    assert expected in str(caught.value)
    assert hides(with_locals(caught.value))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"POLYMARKET_ADDRESS": ADDRESS},
        {"POLY_API_KEY": API_KEY, "POLY_API_SECRET": SECRET, "POLY_PASSPHRASE": PASSPHRASE},
    ],
)
def test_environment_without_any_names_the_variables(environ: Mapping[str, str]) -> None:
    with pytest.raises(CredentialsNotFound, match="POLYMARKET_API_SECRET") as caught:
        Credentials.from_env(environ)
    assert hides(with_locals(caught.value))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"POLYMARKET_API_SECRET": "Sensitive,value"}, "secret .POLYMARKET_API_SECRET. is not"),
        ({"POLYMARKET_API_KEY": "Sensitive value"}, "api_key .POLYMARKET_API_KEY. has white"),
        ({"POLYMARKET_ADDRESS": "0xSensitive"}, "address .POLYMARKET_ADDRESS. takes 0x"),
    ],
)
def test_wrong_value_in_the_environment_names_its_variable(
    environ: Mapping[str, str], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        Credentials.from_env({**ENVIRONMENT, **environ})
    everything = with_locals(caught.value)
    assert hides(everything)
    assert "Sensitive" not in everything


# The keyring.


@pytest.mark.parametrize("address", [None, ADDRESS])
def test_profile_comes_back_from_the_keyring(address: str | None) -> None:
    stored = Credentials(API_KEY, SECRET, PASSPHRASE, address)
    with using(Memory()):
        stored.save_to_keyring("bot")
        found = Credentials.from_keyring("bot")
        assert found == stored
        assert found.source == 'the keyring, profile "bot"'
        with pytest.raises(CredentialsNotFound, match='profile "default"'):
            Credentials.from_keyring()


def test_profile_is_one_entry_under_the_wires_names(credentials: Credentials) -> None:
    backend = Memory()
    with using(backend):
        credentials.save_to_keyring()
    ((place, entry),) = backend.entries.items()
    assert place == (SERVICE, "default") == ("polymarket-ws", "default")
    assert json.loads(entry) == {
        "apiKey": API_KEY,
        "secret": SECRET,
        "passphrase": PASSPHRASE,
        "address": ADDRESS,
    }


def test_saving_again_replaces_the_profile(credentials: Credentials) -> None:
    with using(Memory()):
        Credentials("another-key", SECRET, PASSPHRASE).save_to_keyring()
        credentials.save_to_keyring()
        assert Credentials.from_keyring() == credentials


def test_deleted_profile_is_gone(credentials: Credentials) -> None:
    with using(Memory()):
        credentials.save_to_keyring()
        Credentials.delete_from_keyring()
        with pytest.raises(CredentialsNotFound, match="gave no entry"):
            Credentials.from_keyring()
        with pytest.raises(CredentialsNotFound, match="no such entry, or it is locked"):
            Credentials.delete_from_keyring()


def test_missing_entry_may_mean_a_locked_keyring() -> None:
    with using(Memory()), pytest.raises(CredentialsNotFound) as caught:
        Credentials.from_keyring("bot")
    said = str(caught.value)
    assert 'profile "bot" (service polymarket-ws, backend tests.keyrings.Memory)' in said
    assert "none was stored under that name, or the keyring is locked" in said
    assert "On a server set POLYMARKET_API_KEY" in said
    assert "`polymarket-ws credentials set`" in said


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "Sensitive",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"apiKey": API_KEY, "secret": SECRET}),
        json.dumps({"apiKey": API_KEY, "secret": "Sensitive,", "passphrase": PASSPHRASE}),
        json.dumps({"apiKey": API_KEY, "secret": SECRET, "passphrase": 7}),
        json.dumps(
            {"apiKey": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE, "address": "Sensitive"}
        ),
    ],
)
def test_damaged_entry_is_told_and_not_shown(entry: str) -> None:
    backend = Memory()
    backend.entries[SERVICE, "default"] = entry
    with using(backend), pytest.raises(CredentialsNotFound, match="is damaged") as caught:
        Credentials.from_keyring()
    everything = with_locals(caught.value)
    assert hides(everything)
    assert "Sensitive" not in everything


class Panic(BaseException):
    """As compiled extensions raise it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoKeyringError("No recommended backend"), "this machine has none that can be used"),
        (KeyringError("odd\n  thing"), "KeyringError: odd thing"),
        (OSError("D-Bus has gone"), "OSError: D-Bus has gone"),
        (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "bad"), "UnicodeDecodeError"),
        (ValueError(f"cannot read {SECRET}"), "ValueError"),
        (Panic(SECRET), "Panic"),
        (SystemExit(1), "SystemExit"),
    ],
)
def test_error_of_a_backend_becomes_credentials_not_found(
    error: BaseException, expected: str
) -> None:
    with using(Refusing(error)), pytest.raises(CredentialsNotFound, match=expected) as caught:
        Credentials.from_keyring()
    assert "On a server" in str(caught.value)
    assert hides(with_locals(caught.value))


def test_locked_keyring_is_said_to_be_locked(credentials: Credentials) -> None:
    with using(Refusing()):
        for ask in (Credentials.from_keyring, Credentials.delete_from_keyring):
            with pytest.raises(CredentialsNotFound, match="it is locked .*Unlock it"):
                ask()
        with pytest.raises(PolymarketWSError, match="it is locked .*Unlock it") as caught:
            credentials.save_to_keyring()
    # The backend quoted what it was given.
    assert hides(with_locals(caught.value))


def test_keyring_that_stores_nothing_is_found_out(credentials: Credentials) -> None:
    with using(Forgetful()), pytest.raises(PolymarketWSError, match="did not keep them"):
        credentials.save_to_keyring()


def test_keyring_that_deletes_nothing_is_found_out(credentials: Credentials) -> None:
    backend = Forgetful()
    backend.entries[SERVICE, "default"] = "something"
    with using(backend), pytest.raises(CredentialsNotFound, match="still has the entry"):
        Credentials.delete_from_keyring()


@pytest.mark.parametrize(
    "ask",
    [
        lambda c, timeout: c.from_keyring(timeout=timeout),
        lambda c, timeout: c.find(timeout=timeout),
        lambda c, timeout: c.save_to_keyring(timeout=timeout),
        lambda c, timeout: c.delete_from_keyring(timeout=timeout),
    ],
)
def test_keyring_that_hangs_is_given_up(
    ask: Callable[[Credentials, float], object], credentials: Credentials, seconds: Seconds
) -> None:
    backend, limit = Hanging(), seconds(0.5)
    began = time.monotonic()
    try:
        with using(backend), pytest.raises(PolymarketWSError) as caught:
            ask(credentials, limit)
        assert time.monotonic() - began < limit + seconds(3)
        words = f"did not answer within {limit:g} s (backend tests.keyrings.Hanging)"
        assert words in str(caught.value)
        assert "may be locked" in str(caught.value)
        assert hides(with_locals(caught.value))
        (waiting,) = [t for t in threading.enumerate() if t.name == "polymarket-ws-keyring"]
        assert waiting.daemon
    finally:
        backend.unlocked.set()


@pytest.mark.parametrize("profile", ["", "  ", "a\nb", None, 7])
def test_profile_that_is_no_name_is_refused(profile: Any, credentials: Credentials) -> None:
    for ask in (
        Credentials.from_keyring,
        Credentials.delete_from_keyring,
        Credentials.find,
        credentials.save_to_keyring,
    ):
        with pytest.raises(UsageError, match="a profile is a name"):
            ask(profile)


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("nan"), float("inf"), 1e30])
def test_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(UsageError, match="timeout takes seconds"):
        Credentials.from_keyring(timeout=timeout)


# The environment, then the keyring.


def test_environment_comes_before_the_keyring(
    monkeypatch: pytest.MonkeyPatch, credentials: Credentials
) -> None:
    with using(Memory()):
        Credentials("another-key", SECRET, PASSPHRASE).save_to_keyring("bot")
        assert Credentials.find("bot").api_key == "another-key"
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        assert Credentials.find("bot") == credentials


def test_part_of_a_triple_is_not_filled_up_from_the_keyring(
    monkeypatch: pytest.MonkeyPatch, credentials: Credentials
) -> None:
    monkeypatch.setenv("POLYMARKET_API_KEY", "another-key")
    with using(Memory()):
        credentials.save_to_keyring()
        with pytest.raises(CredentialsNotFound, match="POLYMARKET_API_SECRET"):
            Credentials.find()


def test_address_of_the_environment_is_not_put_on_a_key_of_the_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POLYMARKET_ADDRESS", ADDRESS)
    with using(Memory()):
        Credentials(API_KEY, SECRET, PASSPHRASE).save_to_keyring()
        assert Credentials.find().address is None


def test_error_of_find_says_all_that_was_tried() -> None:
    with using(Memory()), pytest.raises(CredentialsNotFound) as caught:
        Credentials.find("bot")
    for words in (*NAMES, "tests.keyrings.Memory", 'profile "bot"', "credentials set"):
        if words != "POLYMARKET_ADDRESS":
            assert words in str(caught.value)


# In a process of its own, where the environment chooses the backend.


def run(
    code: str, *, wrapper: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in NAMES and not name.startswith(("DBUS_", "PYTHON_KEYRING"))
    }
    return subprocess.run(
        [*wrapper, sys.executable, "-X", "dev", "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    )


ASK = """
    from polymarket_ws.credentials import Credentials
    from polymarket_ws.errors import CredentialsNotFound
    try:
        Credentials.find(timeout={limit})
    except CredentialsNotFound as error:
        print(error)
        print(error.__cause__, error.__context__)
"""

#: To import a keyring takes a while on a machine that has much else to do.
ASK_PATIENTLY = ASK.format(limit=scaled(20.0))
ASK_HASTILY = ASK.format(limit=1.0)


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("no.such.module.Keyring", "ModuleNotFoundError: No module named 'no'"),
        ("keyring.backends.null.Absent", "AttributeError: module"),
        ("json.JSONDecoder", "cannot be loaded"),
        ("", "ValueError: Empty module name"),
        ("Keyring", "cannot be loaded"),
        ("tests.keyrings.Broken", "OSError: no D-Bus here"),
        ("tests.keyrings.Unopened", "InitError: Failed to create the collection"),
        ("keyring.backends.null.Keyring", "is switched off and stores nothing"),
        ("keyring.backends.fail.Keyring", "this machine has none that can be used"),
        ("tests.keyrings.Hanging", "did not answer within 1 s"),
    ],
)
def test_backend_that_cannot_be_used_is_one_error(backend: str, expected: str) -> None:
    hangs = "did not answer" in expected
    done = run(ASK_HASTILY if hangs else ASK_PATIENTLY, PYTHON_KEYRING_BACKEND=backend)
    assert done.stderr == ""
    said, chain = done.stdout.splitlines()
    assert expected in said
    assert "On a server set POLYMARKET_API_KEY" in said
    assert chain == "None None"
    if "cannot be loaded" in said:
        assert f"PYTHON_KEYRING_BACKEND={backend!r}" in said


def test_machine_without_any_keyring_is_one_error(tmp_path: Path) -> None:
    # The address of no bus: nothing must be started for it.
    done = run(
        ASK_PATIENTLY,
        HOME=str(tmp_path),
        DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/none",
        DISPLAY="",
    )
    said = done.stdout.splitlines()[0]
    assert "On a server set POLYMARKET_API_KEY" in said
    assert "the keyring has none to give" in said


def test_keyring_that_cannot_be_imported_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("raise ImportError('half installed')")
    done = run(ASK_PATIENTLY, PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))
    assert "the package keyring cannot be imported (ImportError: half installed)" in done.stdout


def test_slow_import_of_keyring_counts_as_not_answering(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("import threading; threading.Event().wait()")
    done = run(ASK_HASTILY, PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))
    assert done.returncode == 0
    assert "did not answer within 1 s" in done.stdout


def test_keyring_is_imported_only_when_it_is_asked() -> None:
    done = run(
        """
        import sys
        from polymarket_ws.credentials import Credentials
        Credentials.find()
        Credentials.from_env().l2_headers("GET", "/auth/api-keys")
        print("keyring" in sys.modules)
        """,
        **ENVIRONMENT,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


SECRET_SERVICE = """
    import os, subprocess, sys, threading, time
    import secretstorage
    from polymarket_ws.credentials import Credentials
    from polymarket_ws.errors import CredentialsNotFound

    daemon = subprocess.Popen(
        ["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    daemon.stdin.write(b"password of the keyring")
    daemon.stdin.close()
    try:
        bus = secretstorage.dbus_init()
        pause, deadline = threading.Event(), time.monotonic() + 20
        while not secretstorage.check_service_availability(bus):
            assert time.monotonic() < deadline
            pause.wait(0.05)
        stored = Credentials(*sys.argv[1:]) if sys.argv[1:] else Credentials.from_env()

        def tell(ask):
            try:
                print(ask())
            except Exception as error:
                print(type(error).__name__, error)

        tell(lambda: Credentials.from_keyring("bot"))
        tell(lambda: stored.save_to_keyring("bot"))
        tell(lambda: Credentials.from_keyring("bot") == stored)
        secretstorage.get_default_collection(bus).lock()
        tell(lambda: Credentials.from_keyring("bot", timeout=2.0))
        tell(lambda: stored.save_to_keyring("bot", timeout=2.0))
        bus.close()
    finally:
        daemon.terminate()
        daemon.wait(10)
"""


@pytest.mark.skipif(
    not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
    reason="needs the Debian packages gnome-keyring and dbus",
)
def test_secret_service_of_gnome_keeps_and_gives_back(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    done = run(
        SECRET_SERVICE,
        wrapper=("dbus-run-session", "--"),
        HOME=str(tmp_path),
        XDG_DATA_HOME=str(tmp_path / "data"),
        XDG_RUNTIME_DIR=str(runtime),
        DISPLAY="",
        WAYLAND_DISPLAY="",
        **ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    absent, saved, found, locked, unsaved = done.stdout.splitlines()
    assert absent.startswith("CredentialsNotFound")
    assert "keyring.backends.SecretService.Keyring" in absent
    assert (saved, found) == ("None", "True")
    # Without a screen its prompt fails at once, or waits for ever.
    for refused in (locked, unsaved):
        assert "it is locked" in refused or "may be locked" in refused
    assert hides(done.stdout + done.stderr)
