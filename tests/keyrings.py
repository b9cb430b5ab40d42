"""Backends of ``keyring`` that behave as real ones do on a bad day. Chosen by
``PYTHON_KEYRING_BACKEND=tests.keyrings.<name>`` or ``keyring.set_keyring``."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import NoReturn

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError


class Memory(KeyringBackend):
    """Keeps what it is given."""

    # Never chosen by itself.
    priority = 0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError("No such password!")


class Filed(Memory):
    """Keeps it in the file that ``TESTS_KEYRING_FILE`` names, for several processes."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(os.environ["TESTS_KEYRING_FILE"])
        if self.path.is_file():
            rows = json.loads(self.path.read_text(encoding="utf-8"))
            self.entries = {(service, name): entry for service, name, entry in rows}

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        self._write()

    def delete_password(self, service: str, username: str) -> None:
        super().delete_password(service, username)
        self._write()

    def _write(self) -> None:
        rows = [[*key, entry] for key, entry in self.entries.items()]
        self.path.write_text(json.dumps(rows), encoding="utf-8")


class Hanging(KeyringBackend):
    """Waits for a password that nobody types, as a locked Secret Service does."""

    priority = 0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait()
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.unlocked.wait()

    def delete_password(self, service: str, username: str) -> None:
        self.unlocked.wait()


class Refusing(Memory):
    """Raises ``error``, with what it was given among its arguments where it was given any."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error or KeyringLocked("Failed to unlock the collection!")

    def get_password(self, service: str, username: str) -> NoReturn:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> NoReturn:
        self.error.args = (*self.error.args, password)
        raise self.error

    def delete_password(self, service: str, username: str) -> NoReturn:
        raise self.error


class Unopened(Refusing):
    """Has no collection."""

    def __init__(self) -> None:
        super().__init__(InitError("Failed to create the collection"))


class Broken(Memory):
    """Cannot be made."""

    def __init__(self) -> None:
        raise OSError("no D-Bus here")


class Forgetful(Memory):
    """Stores nothing, deletes nothing, and says so to nobody."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass

    def delete_password(self, service: str, username: str) -> None:
        pass
