"""What a user names by URL is read, within bounds, and never from what only this machine can reach."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from manager import fetching
from manager.fetching import FetchError, is_reachable_for_users, pieces

HOST = "127.93.2.1"
OWN = ["127.0.0.1", "127.93.1.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254", "fe80::1%eth0"]  # noqa: S104
OTHERS = ["10.1.2.3", "192.168.1.1", "172.16.0.1", "93.184.216.34", "2606:2800:220:1::1", "fd00::2"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Some good answers, and some bad ones."""

    answers: ClassVar = {
        "/file": (200, b"content" * 1000, {}),
        "/gone": (404, b"", {}),
        "/sick": (500, b"", {}),
        "/there": (302, b"", {"Location": "/file"}),
        "/round": (302, b"", {"Location": "/round"}),
        "/passwd": (302, b"", {"Location": "file:///etc/passwd"}),
        "/short": (200, b"half", {"Content-Length": "8"}),
    }

    def do_GET(self) -> None:
        status, body, headers = self.answers[self.path]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


def read(url: str, **more: object) -> bytes:
    bounds = {"max_bytes": 100_000, "timeout_s": 30.0, "may_reach": lambda _: True, **more}
    return b"".join(pieces(url, **bounds))


@pytest.mark.parametrize("path", ["/file", "/there"])
def test_a_file_is_read(url, path):
    assert read(url + path) == b"content" * 1000


WRONG = [
    ("/gone", "404"),
    ("/sick", "500"),
    ("/round", "30"),
    ("/passwd", "not allowed|unknown"),
    ("/short", "IncompleteRead|broke off"),
]


@pytest.mark.parametrize(("path", "words"), WRONG)
def test_what_cannot_be_read_is_said(url, path, words):
    with pytest.raises(FetchError, match=words):
        read(url + path)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://x/y", "/etc/passwd", "", "data:,x"])
def test_only_the_web_is_read(address):
    with pytest.raises(FetchError, match="is not an http or https address"):
        read(address)


@pytest.mark.parametrize("address", ["http://", "http://[", "http://\0/", f"http://{HOST}:1/", "http://a b/"])
def test_addresses_that_lead_nowhere(address):
    with pytest.raises(FetchError, match="cannot be read"):
        read(address)


def test_what_is_too_long_is_not_read_to_its_end(url):
    with pytest.raises(FetchError, match="longer than 100 bytes"):
        read(f"{url}/file", max_bytes=100)


def test_what_takes_too_long_is_left(url):
    with pytest.raises(FetchError, match="was not read within"):
        read(f"{url}/file", timeout_s=-1.0)


def test_this_machines_own_addresses_are_not_read(url):
    with pytest.raises(FetchError, match="only this machine can reach"):
        read(f"{url}/file", may_reach=is_reachable_for_users)


def test_each_redirect_is_looked_at_anew(url, monkeypatch):
    allowed = iter([True, False])
    with pytest.raises(FetchError, match="only this machine can reach"):
        read(f"{url}/there", may_reach=lambda _: next(allowed))


@pytest.mark.parametrize("address", OWN)
def test_what_only_this_machine_can_reach(address):
    assert not is_reachable_for_users(address)


@pytest.mark.parametrize("address", OTHERS)
def test_what_others_can_reach_as_well(address):
    assert fetching.is_reachable_for_users(address)
