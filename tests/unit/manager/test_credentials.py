"""Reading credentials: both alphabets of base64, and nothing that only looks like them."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.auth import Credentials, read_credentials
from manager.errors import Unauthorized

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def basic(encoded: str) -> dict[str, str]:
    return {"authorization": f"Basic {encoded}"}


@given(
    username=TEXT.filter(lambda text: text and ":" not in text),
    password=TEXT,
    encode=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
    padded=st.booleans(),
)
def test_both_alphabets(username, password, encode, padded):
    encoded = encode(f"{username}:{password}".encode()).decode()
    headers = basic(encoded if padded else encoded.rstrip("="))
    assert read_credentials(headers) == Credentials(username, password)


def test_the_alphabets_differ_here():
    text = base64.b64encode(b"admin:\xc3\xbf\xc3\xbf>>>???").decode()
    assert set(text) & {"+", "/"}
    urlsafe = text.replace("+", "-").replace("/", "_")
    assert read_credentials(basic(text)) == read_credentials(basic(urlsafe))


def test_a_token_comes_first():
    headers = {"authentication-token": "abc", **basic("!")}
    assert read_credentials(headers) == Credentials(token="abc")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic"},
        {"authorization": "Bearer abc"},
        basic("!!!"),
        basic("YWRtaW4="),  # no colon
        basic(base64.b64encode(b":password").decode()),
        basic(base64.b64encode(b"\xff\xfe:x").decode()),
        basic(base64.b64encode(b"a\0b:x").decode()),
        basic("YWRtaW46YWRtaW4=" * 2),
    ],
)
def test_anything_else_is_nobody(headers):
    with pytest.raises(Unauthorized):
        read_credentials(headers)


@given(st.text(max_size=60))
def test_no_header_is_a_crash(text):
    with suppress(Unauthorized):
        read_credentials({"authorization": text})
