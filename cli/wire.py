"""One request to one manager: the bytes, the time limits, TLS.

The standard library's client serves: it starts four times as fast as the better known ones, and follows no
proxy settings, which have no place between an operator and a cluster's members.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

CONNECT_TIMEOUT_S = 5.0
"""For the connection and the TLS handshake: a stopped process accepts connections, but shakes no hands."""

READ_TIMEOUT_S = 120.0
"""For the answer. Some answers take long (an election is waited for, a database catches up)."""

TRANSFER_TIMEOUT_S = 900.0
"""For the answer to an upload: a manager may fetch it, unpacks it, and waits for a replica."""

CHUNK_BYTES = 256 * 1024

BASE_PATH = "/api/v3.1"
MINORITY_HEADER = "Cloudify-Minority-Mode"

REASONS: Mapping[type[Exception], str] = {
    ssl.SSLError: "does not speak TLS as expected",
    TimeoutError: f"did not answer within {CONNECT_TIMEOUT_S:g} s",
    ConnectionRefusedError: "refused the connection",
    socket.gaierror: "the name cannot be resolved",
}

Query = Mapping[str, str | int | Sequence[str] | None]


class Unreachable(Exception):
    """The manager gave no answer. ``sent``: the request may have arrived nevertheless."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. ``tls`` is None for plain HTTP."""

    address: str
    port: int
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that a manager sends. ``size`` in bytes, and ``name``: None when it does not say."""

    name: str | None
    size: int | None
    chunks: Iterator[bytes]


Content = Callable[[], Iterator[bytes]]
"""Gives the bytes to be sent, from the first one on, each time that it is called."""

Receiver = Callable[[Incoming], Any]
"""Takes a file, and gives what the answer shall have as its body."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: ``body`` is sent as JSON, ``content`` as it is, in chunks.

    ``receive`` gets the body of a success, which is no JSON then. ``timeout_s``: for the answer.
    """

    method: str
    path: str
    query: Query
    body: Any
    headers: Mapping[str, str]
    content: Content | None = None
    receive: Receiver | None = None
    timeout_s: float = READ_TIMEOUT_S

    @property
    def url(self) -> str:
        """Path and query below the host."""
        # Commas stay as they are: the contract's clients send lists of fields like that.
        given = {key: value for key, value in self.query.items() if value is not None}
        query = urlencode(given, safe=",", doseq=True)
        return f"{BASE_PATH}{self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` is the decoded JSON; None when it was none.

    ``minority``: how the manager acts without the majority of its cluster; empty when it has it.
    """

    status: int
    body: Any
    minority: str = ""

    @property
    def ok(self) -> bool:
        """Whether the manager has done what it was asked for."""
        return _is_success(self.status) and self.body is not None

    @property
    def error_code(self) -> str:
        """The contract's name for what is wrong; empty when the answer has none."""
        return str(self.body.get("error_code") or "") if isinstance(self.body, dict) else ""

    @property
    def message(self) -> str:
        """What is wrong, in words."""
        if isinstance(self.body, dict) and self.body.get("message"):
            return str(self.body["message"])
        return f"The answer was HTTP {self.status}, and not one of a manager."


def tls_context(ca_files: tuple[str, ...] = (), *, trust_all: bool = False) -> ssl.SSLContext:
    """How to check a manager's certificate: by these CAs, else by those that the machine trusts.

    Raises ``OSError`` when a file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_files[0] if ca_files else None)
    for ca_file in ca_files[1:]:
        context.load_verify_locations(cafile=ca_file)
    if trust_all:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def exchange(target: Target, request: Request) -> Answer:
    """Send a request and read the answer, on a connection of its own.

    Raises ``Unreachable``, and whatever the request's ``content`` and ``receive`` raise.
    """
    connection = _connection(target)
    try:
        _connect(connection, request.timeout_s)
        return _converse(connection, request)
    finally:
        connection.close()


def _connection(target: Target) -> http.client.HTTPConnection:
    if target.tls is None:
        return http.client.HTTPConnection(target.address, target.port, timeout=CONNECT_TIMEOUT_S)
    return http.client.HTTPSConnection(
        target.address, target.port, timeout=CONNECT_TIMEOUT_S, context=target.tls
    )


def _connect(connection: http.client.HTTPConnection, timeout_s: float) -> None:
    try:
        connection.connect()
    except OSError as error:
        raise Unreachable(_reason(error), sent=False) from error
    connection.sock.settimeout(timeout_s)


def _converse(connection: http.client.HTTPConnection, request: Request) -> Answer:
    try:
        _send(connection, request)
        return _answer(connection.getresponse(), request)
    except TimeoutError as error:
        raise Unreachable(f"gave no answer within {request.timeout_s:g} s", sent=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"broke the connection ({_reason(error)})", sent=True) from error


def _send(connection: http.client.HTTPConnection, request: Request) -> None:
    headers = {"Content-type": "application/json", "Connection": "close", **request.headers}
    if request.content is None:
        body = None if request.body is None else json.dumps(request.body)
        connection.request(request.method, request.url, body=body, headers=headers)
        return
    headers["Transfer-Encoding"] = "chunked"
    # A member that refuses an upload hangs up without reading all of it; its answer is there nevertheless.
    with suppress(ConnectionError, ssl.SSLEOFError):
        connection.request(
            request.method, request.url, body=request.content(), headers=headers, encode_chunked=True
        )


def _answer(response: http.client.HTTPResponse, request: Request) -> Answer:
    minority = response.headers.get(MINORITY_HEADER, "")
    if request.receive is None or not _is_success(response.status):
        return Answer(response.status, _decoded(response.read()), minority)
    incoming = Incoming(response.headers.get_filename(), response.length, _chunks(response))
    return Answer(response.status, request.receive(incoming), minority)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    missing = response.length
    while chunk := response.read(CHUNK_BYTES):
        yield chunk
        missing = None if missing is None else missing - len(chunk)
    if missing:
        # The library takes the end of the connection for the end of the file.
        raise http.client.HTTPException(f"{missing} bytes are missing")


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 -- The 2xx of HTTP.


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    for kind, reason in REASONS.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
