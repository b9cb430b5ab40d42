"""Credentials of an account: where they come from, and how they stay out of sight.

Frames of this module that can raise hold no secret as plain text: a traceback with local
variables shows what they hold. So what takes plain values returns what is wrong with them,
and somebody who no longer has them raises. For the same reason errors of a keyring's backend
are told in words and not chained: their tracebacks and arguments may hold what was stored.
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, SupportsIndex

import attrs

from polymarket_ws.api_key import HIDDEN, ApiKey, HiddenText, NotCopied, without_wrapping
from polymarket_ws.errors import CredentialsNotFound, PolymarketWSError, UsageError
from polymarket_ws.signing import l2_signature

__all__ = ["Credentials"]

SERVICE: Final = "polymarket-ws"

#: A keyring that is unlocked answers at once; one that waits for a password waits for ever.
KEYRING_SECONDS: Final = 5.0

_FIELDS: Final = ("api_key", "secret", "passphrase")
_WIRE_NAMES: Final = ("apiKey", "secret", "passphrase")
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE)
_LONG: Final = re.compile(r"[A-Za-z0-9_+=-]{20,}")
_ADDRESS_VARIABLE: Final = "POLYMARKET_ADDRESS"

# Each row is a source of its own: a key of one and a secret of the other belong to different
# API keys. POLY_* are names of HTTP headers and are not read.
_VARIABLES: Final = (
    (
        ("POLYMARKET_API_KEY",),
        ("POLYMARKET_API_SECRET",),
        ("POLYMARKET_API_PASSPHRASE", "POLYMARKET_PASSPHRASE"),
    ),
    (("CLOB_API_KEY",), ("CLOB_SECRET",), ("CLOB_PASS_PHRASE",)),
)

_ADVICE: Final = (
    "On a server set POLYMARKET_API_KEY, POLYMARKET_API_SECRET and POLYMARKET_API_PASSPHRASE "
    "(and POLYMARKET_ADDRESS) in the environment; on a desktop store them with "
    "`polymarket-ws credentials set`"
)


@attrs.frozen(init=False, repr=False)
class Credentials:
    """An L2 API key of Polymarket: what the user channel and the account's REST calls need.

    The three secrets are never shown: not by ``repr``, ``str`` or ``format``, ``attrs.asdict``,
    exceptions, tracebacks with local variables or logs. Pickling and copying are refused.

    Args:
        api_key: a UUID. It also stands as ``owner`` in events of the user channel.
        secret: base64url.
        passphrase: hex digits.
        address: of the wallet that made the key, ``0x`` and 40 hex digits. Without it the
            key works on the user channel, but REST cannot be asked: wrong credentials cannot
            be told from a quiet account, and what a gap swallowed is not recovered.

    White space and quotes around a value are dropped.

    Raises:
        UsageError: a value that cannot be right. The text names it and does not contain it.

    Attributes:
        address: as it was given.
        source: where they come from, in words.
    """

    _key: ApiKey
    address: str | None
    source: str = attrs.field(eq=False)

    def __init__(
        self, api_key: str, secret: str, passphrase: str, address: str | None = None
    ) -> None:
        key = ApiKey.checked((api_key, secret, passphrase), _FIELDS)
        place, problem = _address_of(address)
        del api_key, secret, passphrase, address
        if not isinstance(key, ApiKey):
            raise UsageError(key)
        if problem:
            raise UsageError(problem)
        self._fill(key, place, "the arguments of Credentials(…)")

    def __repr__(self) -> str:
        if not hasattr(self, "source"):
            # In a traceback from the constructor.
            return "Credentials(…)"
        return f"Credentials(api_key={self.masked_api_key!r}, address={self.address!r})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise NotCopied(
            "Credentials are not pickled or copied, so that secrets stay in this process. Read "
            "them where they are needed: Credentials.find()"
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Credentials:
        """Read the environment.

        ``POLYMARKET_API_KEY``, ``POLYMARKET_API_SECRET``, ``POLYMARKET_API_PASSPHRASE`` (or
        ``POLYMARKET_PASSPHRASE``); where none of them is set, ``CLOB_API_KEY``,
        ``CLOB_SECRET``, ``CLOB_PASS_PHRASE``, as the exchange's own clients call them. The
        address is ``POLYMARKET_ADDRESS``. An empty variable counts as one that is not set.

        Args:
            environ: something else than ``os.environ``.

        Raises:
            CredentialsNotFound: none, or not all three. The text says which are missing.
            UsageError: a variable's value cannot be right. The text names the variable.
        """
        # The default is not os.environ itself: help() and signatures show defaults.
        found = _read_environment(os.environ if environ is None else environ)
        del environ
        if found is None:
            raise CredentialsNotFound(f"the environment has no credentials. {_ADVICE}")
        return cls._made(found)

    @classmethod
    def from_keyring(
        cls, profile: str = "default", *, timeout: float = KEYRING_SECONDS
    ) -> Credentials:
        """Read the operating system's encrypted store, as ``save_to_keyring`` left it.

        The package ``keyring`` is imported now, and asked on a thread of its own.

        Args:
            profile: which of several.
            timeout: seconds for all of it. A locked keyring may ask for its password in a
                window, and waits for ever where nobody sees that.

        Raises:
            CredentialsNotFound: there are none, or they could not be had. The text says what
                was tried, and what to do instead.
        """
        found = _read_keyring(_checked_profile(profile), timeout)
        if isinstance(found, str):
            raise CredentialsNotFound(f"the keyring has no credentials to give: {found}. {_ADVICE}")
        return cls._made(found)

    @classmethod
    def find(cls, profile: str = "default", *, timeout: float = KEYRING_SECONDS) -> Credentials:
        """Look in the environment, then in the keyring. A triple comes from one of them.

        Args:
            profile: of the keyring.
            timeout: seconds for the keyring.

        Raises:
            CredentialsNotFound: neither has them, or the environment has only some of the
                three: then the keyring, which may hold another key, is not asked.
            UsageError: a variable's value cannot be right.
        """
        found = _read_environment(os.environ)
        if found is not None:
            return cls._made(found)
        stored = _read_keyring(_checked_profile(profile), timeout)
        if isinstance(stored, str):
            raise CredentialsNotFound(
                "there are no credentials. The environment has none of "
                f"{', '.join(name for names in _VARIABLES for n in names for name in n)}; "
                f"the keyring has none to give: {stored}. {_ADVICE}"
            )
        return cls._made(stored)

    def save_to_keyring(
        self, profile: str = "default", *, timeout: float = KEYRING_SECONDS
    ) -> None:
        """Store them in the operating system's encrypted store, in one entry a profile.

        What was there is replaced. They are read back, because there are backends that store
        nothing and do not say so.

        Args:
            profile: which of several.
            timeout: seconds for all of it.

        Raises:
            PolymarketWSError: they could not be stored. The text says why.
        """
        name = _checked_profile(profile)

        def store(backend: Any) -> bool:
            backend.set_password(SERVICE, name, self._entry())
            return bool(backend.get_password(SERVICE, name) == self._entry())

        asked = _ask_keyring(store, timeout)
        if asked.problem is None and asked.answer is not True:
            asked.problem = f"it did not keep them (backend {asked.backend})"
        if asked.problem is not None:
            raise PolymarketWSError(
                "the keyring did not store the credentials: "
                f"{self.redact(asked.problem)}. {_ADVICE}"
            )

    @staticmethod
    def delete_from_keyring(profile: str = "default", *, timeout: float = KEYRING_SECONDS) -> None:
        """Remove a profile's entry from the operating system's encrypted store.

        Args:
            profile: which of several.
            timeout: seconds for all of it.

        Raises:
            CredentialsNotFound: there is none, or it could not be removed. The text says why.
        """
        name = _checked_profile(profile)

        def delete(backend: Any) -> str:
            if backend.get_password(SERVICE, name) is None:
                return "there is no such entry, or it is locked"
            backend.delete_password(SERVICE, name)
            left = backend.get_password(SERVICE, name)
            return "" if left is None else "it still has the entry"

        asked = _ask_keyring(delete, timeout)
        if asked.problem is None and asked.answer:
            asked.problem = f"{asked.answer} (backend {asked.backend})"
        if asked.problem is not None:
            raise CredentialsNotFound(
                f'the keyring did not remove the profile "{name}": {asked.problem}'
            )

    @property
    def api_key(self) -> str:
        """The API key, to compare with ``owner`` in events. Printing it shows nothing."""
        return self._key.values[0]

    @property
    def masked_api_key(self) -> str:
        """The first characters of the API key, to tell one from another."""
        return self._key.masked_key

    def reveal(self) -> dict[str, str]:
        """Return the three under the wire's names: ``apiKey``, ``secret``, ``passphrase``.

        The values are text that hides from ``repr``, ``str`` and ``format``, and shows itself
        to ``json.dumps``, ``encode`` and the like. Whatever is made of them does not hide.
        """
        return dict(zip(_WIRE_NAMES, self._key.values, strict=True))

    def l2_headers(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        timestamp: int | None = None,
    ) -> dict[str, str]:
        """Return the headers that sign one request to the CLOB.

        Args:
            method: such as ``"GET"``.
            path: such as ``"/auth/api-keys"``. A query is not signed.
            body: as it is sent.
            timestamp: Unix seconds; now by default.

        Returns:
            ``POLY_ADDRESS``, ``POLY_API_KEY``, ``POLY_PASSPHRASE``, ``POLY_SIGNATURE`` and
            ``POLY_TIMESTAMP``; those that are secret hide as in :meth:`reveal`.

        Raises:
            UsageError: there is no address.
        """
        if self.address is None:
            raise UsageError(
                "a signed request needs the address of the wallet that made the key: "
                'Credentials(…, address="0x…") or POLYMARKET_ADDRESS'
            )
        if timestamp is None:
            timestamp = int(time.time())
        api_key, secret, passphrase = self._key.values
        signature = l2_signature(
            secret, timestamp=timestamp, method=method.upper(), path=path, body=body
        )
        return {
            "POLY_ADDRESS": self.address,
            "POLY_API_KEY": api_key,
            "POLY_PASSPHRASE": passphrase,
            "POLY_SIGNATURE": HiddenText(signature),
            "POLY_TIMESTAMP": str(timestamp),
        }

    def redact(self, text: str) -> str:
        """Return ``text`` with each occurrence of the three replaced by ``<hidden>``."""
        # The longest first: one may be part of another.
        for value in sorted(self._key.values, key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        return text

    def _entry(self) -> str:
        """Return what the keyring keeps: one value, so that it is never half of the old."""
        fields = self.reveal()
        if self.address is not None:
            fields["address"] = self.address
        return json.dumps(fields)

    @classmethod
    def _made(cls, found: _Found | PolymarketWSError) -> Credentials:
        if isinstance(found, PolymarketWSError):
            raise found
        made = cls.__new__(cls)
        cls._fill(made, found.key, found.address, found.source)
        return made

    def _fill(self, key: ApiKey, address: str | None, source: str) -> None:
        # The class is frozen; this is its constructor, for values that are checked.
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "address", address)
        object.__setattr__(self, "source", source)


@attrs.frozen
class _Found:
    """A triple of one source."""

    key: ApiKey
    address: str | None
    source: str


def _read_environment(environ: Mapping[str, str]) -> _Found | PolymarketWSError | None:
    rows = [[_first_set(environ, names) for names in row] for row in _VARIABLES]
    chosen = next((row for row in rows if any(row)), None)
    if chosen is None:
        return None
    if not all(chosen):
        return CredentialsNotFound(_partial(environ, rows))
    names = [name for name in chosen if name]
    key = ApiKey.checked(
        [environ[name] for name in names],
        [f"{field} ({name})" for field, name in zip(_FIELDS, names, strict=True)],
    )
    if not isinstance(key, ApiKey):
        return UsageError(key)
    address = environ.get(_ADDRESS_VARIABLE)
    if address is not None and not without_wrapping(address):
        address = None
    place, problem = _address_of(address, f"address ({_ADDRESS_VARIABLE})")
    if problem:
        return UsageError(problem)
    return _Found(key, place, f"the environment ({', '.join(names)})")


def _first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if without_wrapping(environ.get(name, ""))), None)


def _partial(environ: Mapping[str, str], rows: list[list[str | None]]) -> str:
    parts = []
    for row, found in zip(_VARIABLES, rows, strict=True):
        if not any(found):
            continue
        there = [name for name in found if name]
        missing = [
            f"{names[0]} (set, but empty)" if names[0] in environ else names[0]
            for names, name in zip(row, found, strict=True)
            if name is None
        ]
        verb = "is" if len(there) == 1 else "are"
        part = f"{_listed(there)} {verb} set"
        if missing:
            part += f", {_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        parts.append(part)
    text = f"the environment has only a part of the credentials: {'; '.join(parts)}. "
    if len(parts) > 1:
        text += "POLYMARKET_… and CLOB_… are not mixed, since they may be of different keys. "
    return f"{text}Set all three, or unset them to use the keyring"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@attrs.define(eq=False, repr=False)
class _Asked:
    """A question to the keyring, on its way or answered."""

    answer: Any = attrs.field(default=None, repr=False)  # rich reads this, not __repr__
    problem: str | None = None
    backend: str = ""
    done: bool = False


def _ask_keyring(action: Callable[[Any], Any], timeout: float) -> _Asked:
    """Run ``action`` with the keyring's backend, on a thread that may be left behind."""
    if (
        isinstance(timeout, bool)
        or not isinstance(timeout, (int, float))
        or not (math.isfinite(timeout) and 0 < timeout <= threading.TIMEOUT_MAX)
    ):
        raise UsageError(f"timeout takes seconds above 0, such as 5.0, not {timeout!r}")
    asked = _Asked()
    # Importing is part of it: it has taken 25 s on a machine with a slow disk.
    worker = threading.Thread(
        target=_run, args=(asked, action), name="polymarket-ws-keyring", daemon=True
    )
    worker.start()
    worker.join(timeout)
    if asked.done:
        return asked
    where = f" (backend {asked.backend})" if asked.backend else ""
    return _Asked(
        problem=f"it did not answer within {timeout:g} s{where}. It may be locked, and wait for "
        "its password in a window that nobody sees",
        backend=asked.backend,
    )


def _run(asked: _Asked, action: Callable[[Any], Any]) -> None:
    stage = "import"
    try:
        import keyring

        stage = "load"
        backend = keyring.get_keyring()
        kind = type(backend)
        asked.backend = f"{kind.__module__}.{kind.__qualname__}"
        stage = "use"
        asked.answer = action(backend)
    # A backend is foreign code, some of it compiled: whatever it raises is its answer.
    except BaseException as error:  # noqa: BLE001
        asked.problem = _problem_of(error, stage, asked.backend)
    asked.done = True


def _problem_of(error: BaseException, stage: str, backend: str) -> str:
    words = type(error).__name__
    # Any other error is of Python, or of who knows whom, and its text may quote what was stored.
    known = (ImportError, AttributeError, OSError, RuntimeError)
    home = type(error).__module__.partition(".")[0]
    if stage != "use" or isinstance(error, known) or home in ("keyring", "secretstorage"):
        text = _one_line(str(error))
        # Even so: no part of a key is shorter, and few words are longer.
        text = _LONG.sub(HIDDEN, text) if stage == "use" else text
        words = f"{words}: {text}" if text else words
    if stage == "import":
        return f"the package keyring cannot be imported ({words})"
    if stage == "load":
        chosen = os.environ.get("PYTHON_KEYRING_BACKEND")
        which = "" if chosen is None else f"PYTHON_KEYRING_BACKEND={chosen!r}, "
        return f"its backend cannot be loaded ({which}{words})"
    names = {kind.__name__ for kind in type(error).__mro__}
    if "NoKeyringError" in names:
        return f"this machine has none that can be used (backend {backend})"
    if names & {"KeyringLocked", "LockedException"}:
        return f"it is locked (backend {backend}; {words}). Unlock it and try again"
    if "PasswordDeleteError" in names:
        return f"there is no such entry, or it is locked (backend {backend}; {words})"
    return f"it failed (backend {backend}; {words})"


def _read_keyring(profile: str, timeout: float) -> _Found | str:
    asked = _ask_keyring(lambda backend: backend.get_password(SERVICE, profile), timeout)
    if asked.problem is not None:
        return asked.problem
    where = f'profile "{profile}" (service {SERVICE}, backend {asked.backend})'
    if asked.answer is None:
        if asked.backend.startswith("keyring.backends.null."):
            return f"its backend, {asked.backend}, is switched off and stores nothing"
        return (
            f"it gave no entry for {where}. Either none was stored under that name, or the "
            "keyring is locked: some backends give the same answer then"
        )
    source = f'the keyring, profile "{profile}"'
    return _parsed(asked.answer, source) or (
        f"its entry for {where} is damaged. Store it again with `polymarket-ws credentials set`"
    )


def _parsed(entry: object, source: str) -> _Found | None:
    try:
        fields = json.loads(entry) if isinstance(entry, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    key = ApiKey.checked([fields.get(name) for name in _WIRE_NAMES], _WIRE_NAMES)
    address, problem = _address_of(fields.get("address"))
    if not isinstance(key, ApiKey) or problem:
        return None
    return _Found(key, address, source)


def _checked_profile(profile: object) -> str:
    if not isinstance(profile, str) or not profile.strip() or not profile.isprintable():
        raise UsageError(f'a profile is a name, such as "default", not {profile!r}')
    return profile.strip()


def _address_of(value: object, label: str = "address") -> tuple[str | None, str]:
    """Return an address, and what is wrong with it. It stays out of the text: it may be a key."""
    if value is None:
        return None, ""
    text = without_wrapping(value) if isinstance(value, str) else ""
    if _ADDRESS.fullmatch(text):
        return text, ""
    problem = f"{label} takes 0x and 40 hex digits"
    if len(text.removeprefix("0x")) == 64:
        problem += "; 64 are a private key, which has no business here"
    return None, problem


def _one_line(text: str) -> str:
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:300]
