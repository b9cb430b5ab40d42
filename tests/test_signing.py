from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_ws.errors import UsageError
from polymarket_ws.signing import is_l2_secret, l2_signature

ZEROS = "A" * 43 + "="


def sign(secret: str = ZEROS, *, path: str = "/orders", body: str | bytes | None = None) -> str:
    return l2_signature(secret, timestamp=1_000_000, method="GET", path=path, body=body)


def test_signature_is_that_of_the_exchanges_own_client() -> None:
    # The vector that py-clob-client tests itself with.
    signature = l2_signature(
        ZEROS, timestamp=1_000_000, method="test-sign", path="/orders", body='{"hash": "0x123"}'
    )
    assert signature == "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc="


@given(st.binary(min_size=1, max_size=80))
def test_padding_and_alphabet_of_the_secret_do_not_matter(key: bytes) -> None:
    secret = base64.urlsafe_b64encode(key).decode()
    spellings = {secret, secret.rstrip("="), base64.b64encode(key).decode()}
    assert all(is_l2_secret(spelling) for spelling in spellings)
    assert len({sign(spelling) for spelling in spellings}) == 1


def test_query_is_not_signed() -> None:
    assert sign(path="/data/orders?market=0x1&next_cursor=MA==") == sign(path="/data/orders")


def test_body_is_signed_as_text_or_bytes() -> None:
    assert sign(body='{"a":"é"}') == sign(body='{"a":"é"}'.encode()) != sign()
    assert sign(body="") == sign()


@pytest.mark.parametrize(
    "secret",
    ["", "=", "====", "a", "abcde", "ab cd", "abcd!", "ab=cd", "abcd===", "é" * 4, "abcd\n"],
)
def test_secret_that_is_not_base64url_is_refused_without_showing_it(secret: str) -> None:
    assert not is_l2_secret(secret)
    with pytest.raises(UsageError) as caught:
        sign(secret)
    assert str(caught.value) == "the secret is not base64url"


def test_address_in_place_of_a_path_is_refused() -> None:
    with pytest.raises(UsageError, match='starts with "/"'):
        sign(path="https://clob.polymarket.com/auth/api-keys")
