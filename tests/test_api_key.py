from __future__ import annotations

import copy
import json
import pickle
import pprint
import reprlib
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.pretty import pretty_repr

from polymarket_ws.api_key import HIDDEN, ApiKey, HiddenText, NotCopied, without_wrapping

SECRET = "s3cr3t" * 30
LABELS = ("api_key", "secret", "passphrase")


def shown(value: Any) -> list[str]:
    """Return ``value`` as everything shows it that shows things."""
    console = Console(file=StringIO())
    console.print({"value": value})
    assert isinstance(console.file, StringIO)
    return [
        repr(value),
        str(value),
        f"{value} {value!r} {value!s:>20}",
        "%s %r" % (value, value),  # noqa: UP031
        repr([value, {value: value}]),
        pprint.pformat([value]),
        reprlib.repr(value),
        pretty_repr(value, max_string=20),
        console.file.getvalue(),
    ]


def test_hidden_text_shows_itself_nowhere() -> None:
    text = HiddenText(SECRET)
    assert not any("s3cr3t" in line for line in shown(text))
    assert f"{text:<10}|" == f"{HIDDEN}  |"
    assert "s3cr3t" not in repr(text[3:17])


def test_hidden_text_is_itself_for_what_reads_its_characters() -> None:
    text = HiddenText(SECRET)
    assert text == SECRET
    assert hash(text) == hash(SECRET)
    assert text.encode() == SECRET.encode()
    assert "<" + text == f"<{SECRET}"
    assert ",".join([text] * 2) == f"{SECRET},{SECRET}"
    assert json.dumps({"a": text}) == json.dumps({"a": SECRET})
    assert json.dumps([text], indent=1) == json.dumps([SECRET], indent=1)
    assert HiddenText(text) == SECRET


@pytest.mark.parametrize("secret", [HiddenText(SECRET), ApiKey(("key", SECRET, "pass"))])
def test_secrets_are_not_pickled_or_copied(secret: object) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(NotCopied):
            pickle.dumps([secret], protocol)
    for make in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled or copied"):
            make(secret)


def test_api_key_is_no_json() -> None:
    key = ApiKey(("key", SECRET, "pass"))
    assert not any("s3cr3t" in line or "pass" in line for line in shown(key))
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": key})
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(TypeError):
        vars(key)


def test_equal_parts_are_an_equal_key() -> None:
    key = ApiKey(("key", "secret", "pass"))
    assert key == ApiKey(("key", "secret", "pass"))
    assert hash(key) == hash(ApiKey(("key", "secret", "pass")))
    assert key != ApiKey(("key", "secret", "word"))
    assert key != ("key", "secret", "pass")


@pytest.mark.parametrize(
    ("key", "masked"), [("12345678-aaaa", "1234…"), ("12345678", "1234…"), ("1234567", "…")]
)
def test_masked_key_is_its_beginning(key: str, masked: str) -> None:
    assert ApiKey((key, "secret", "pass")).masked_key == masked
    assert type(ApiKey((key, "secret", "pass")).masked_key) is str


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (" value\r\n", "value"),
        ('"value"', "value"),
        (" 'value ' ", "value"),
        ('"', '"'),
        ("\"value'", "\"value'"),
        ('""', ""),
    ],
)
def test_wrapping_is_dropped(given: str, taken: str) -> None:
    assert without_wrapping(given) == taken


def test_parts_are_taken_without_their_wrapping() -> None:
    checked = ApiKey.checked((" key\n", '"c2VjcmV0"', "'pass'"), LABELS)
    assert checked == ApiKey(("key", "c2VjcmV0", "pass"))


@pytest.mark.parametrize(
    ("position", "value", "expected"),
    [
        (0, None, "api_key takes text, not NoneType"),
        (1, b"c2VjcmV0", "secret takes text, not bytes"),
        (2, "", "passphrase is empty"),
        (0, " \t\n", "api_key is empty"),
        (1, "''", "secret is empty"),
        (2, "pass word", "passphrase has white space, a quote"),
        (0, "key\x00", "api_key has white space"),
        (0, "kéy", "api_key has white space, a quote or an unusual character"),
        (2, '"pass', "passphrase has white space, a quote"),
        (1, "\ud800", "secret has white space"),
        (1, "c2VjcmV0!", "secret is not base64url"),
        (1, "c2Vjc", "secret is not base64url"),
    ],
)
def test_what_is_wrong_with_a_part_is_said_without_its_value(
    position: int, value: object, expected: str
) -> None:
    parts: list[object] = ["key", "c2VjcmV0", "pass"]
    parts[position] = value
    problem = ApiKey.checked(parts, LABELS)
    assert isinstance(problem, str)
    assert problem.startswith(expected)
    if isinstance(value, str) and value.strip(" \t\n'"):
        assert value not in problem
