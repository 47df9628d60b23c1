"""Reading what lies elsewhere: archives and imports that a client names by URL.

The address is a user's, and it is this machine that goes there. So it may not lead to what only this machine
can reach: loopback and link-local addresses (a cloud's metadata among them) are refused, after each redirect
anew, and by the address that was connected to, not by a name that may mean something else a moment later.
Private networks are allowed: that is where a company keeps its own artifacts, beside its managers. Proxies of
the environment are not used: behind one nobody could tell where a request goes.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

ANSWER_TIMEOUT_S = 10.0
"""For a connection, and for each piece of an answer."""

PIECE_BYTES = 64 * 1024
SCHEMES = ("http://", "https://")

MayReach = Callable[[str], bool]


class FetchError(Exception):
    """It could not be read; the message says why."""


def is_reachable_for_users(address: str) -> bool:
    """Whether this machine goes to an IP address because a user said so."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(parsed, "ipv4_mapped", None) or parsed
    own = ip.is_loopback or ip.is_link_local or ip.is_unspecified
    return not (own or ip.is_multicast or ip.is_reserved)


def pieces(
    url: str, *, max_bytes: int, timeout_s: float, may_reach: MayReach = is_reachable_for_users
) -> Iterator[bytes]:
    """What ``url`` (http or https) answers, piece by piece.

    Raises ``FetchError``, also when it is more than ``max_bytes`` or takes longer than ``timeout_s``.
    """
    if not url.lower().startswith(SCHEMES):
        raise FetchError(f"{url} is not an http or https address")
    deadline_s, received = time.monotonic() + timeout_s, 0
    try:
        # The scheme was looked at, and the opener has no handlers for others.
        with _opener(may_reach).open(url, timeout=ANSWER_TIMEOUT_S) as answer:
            while piece := answer.read1(PIECE_BYTES):
                received += len(piece)
                if received > max_bytes:
                    raise FetchError(f"{url} is longer than {max_bytes} bytes")
                if time.monotonic() > deadline_s:
                    raise FetchError(f"{url} was not read within {timeout_s:g} s")
                yield piece
            if answer.length:
                raise FetchError(f"{url} broke off")
    except urllib.error.HTTPError as error:
        raise FetchError(f"{url} answered {error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(f"{url} cannot be read: {getattr(error, 'reason', error)}") from error


def _opener(may_reach: MayReach) -> urllib.request.OpenerDirector:
    class Http(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            _check(self.sock, may_reach)

    class Https(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            _check(self.sock, may_reach)

    class HttpHandler(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Http, request)

    class HttpsHandler(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Https, request)

    opener = urllib.request.OpenerDirector()
    handlers: tuple[Any, ...] = (HttpHandler(), HttpsHandler(), urllib.request.HTTPRedirectHandler())
    for handler in (*handlers, urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    return opener


def _check(connection: socket.socket, may_reach: MayReach) -> None:
    address = connection.getpeername()[0]
    if not may_reach(address):
        connection.close()
        raise FetchError(f"{address} is an address that only this machine can reach; it is not allowed")
