"""The three parts of an L2 API key, checked, and kept out of sight.

What takes plain values here returns what is wrong with them and does not raise: a traceback
with local variables shows what the frames that it goes through hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn, SupportsIndex

from polymarket_ws.errors import UsageError
from polymarket_ws.signing import is_l2_secret

__all__ = ["HIDDEN", "ApiKey", "HiddenText", "NotCopied", "without_wrapping"]

#: What is shown in place of a secret.
HIDDEN: Final = "<hidden>"


class NotCopied(UsageError, TypeError):
    """Refuses a copy. A ``TypeError`` as well: whoever pickles or copies expects that."""


class HiddenText(str):
    """Text that is itself for whatever reads its characters, but does not show itself.

    Encoding, comparing, joining and ``json.dumps`` see the text; ``repr``, ``str``,
    ``format`` and with them logs and tracebacks do not.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> HiddenText:
        """Hide ``text``; of a hidden one, ``str()`` would be what it shows."""
        return text if isinstance(text, HiddenText) else super().__new__(cls, text)

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __getitem__(self, key: SupportsIndex | slice) -> HiddenText:
        # rich cuts long texts before it shows them.
        return HiddenText(super().__getitem__(key))

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise NotCopied("a secret is not pickled or copied")


class ApiKey:
    """API key, secret and passphrase behind a wall: no text, so that no JSON can hold it."""

    __slots__ = ("_values",)

    def __init__(self, values: tuple[str, str, str]) -> None:
        self._values = tuple(HiddenText(value) for value in values)

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ApiKey) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise NotCopied("secrets are not pickled or copied")

    @classmethod
    def checked(cls, values: Sequence[object], labels: Sequence[str]) -> ApiKey | str:
        """Return the three behind their wall, or what is wrong with one of them.

        Args:
            values: API key, secret and passphrase, as somebody gave them.
            labels: what to call each of them.
        """
        plain = []
        for value, label in zip(values, labels, strict=True):
            if not isinstance(value, str):
                return f"{label} takes text, not {type(value).__name__}"
            text = without_wrapping(value)
            if not text:
                return f"{label} is empty"
            if not text.isascii() or not text.isprintable() or set(text) & set(" \"'"):
                return (
                    f"{label} has white space, a quote or an unusual character in it. Copy it "
                    "again, without what stands around it"
                )
            plain.append(text)
        api_key, secret, passphrase = plain
        if not is_l2_secret(secret):
            return f"{labels[1]} is not base64url, which is what the exchange gives. Copy it again"
        return cls((api_key, secret, passphrase))

    @property
    def values(self) -> tuple[HiddenText, ...]:
        """The API key, the secret and the passphrase."""
        return self._values

    @property
    def masked_key(self) -> str:
        """The beginning of the API key, enough to tell one from another."""
        key = self._values[0]
        # Of a key that short the beginning would be most of it.
        return (str.__getitem__(key, slice(4)) if len(key) >= 8 else "") + "…"


def without_wrapping(value: str) -> str:
    """Return a value without the white space and quotes that files and shells leave on it."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].strip()
    return value
