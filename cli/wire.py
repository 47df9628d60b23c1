"""One request to one manager: the bytes, the time limits, TLS.

The standard library's client serves: it starts four times as fast as the better known ones, and follows no
proxy settings, which have no place between an operator and a cluster's members.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

CONNECT_TIMEOUT_S = 5.0
"""For the connection and the TLS handshake: a stopped process accepts connections, but shakes no hands."""

READ_TIMEOUT_S = 120.0
"""For the answer. Some answers take long (an election is waited for, a database catches up)."""

BASE_PATH = "/api/v3.1"

REASONS: Mapping[type[Exception], str] = {
    ssl.SSLError: "does not speak TLS as expected",
    TimeoutError: f"did not answer within {CONNECT_TIMEOUT_S:g} s",
    ConnectionRefusedError: "refused the connection",
    socket.gaierror: "the name cannot be resolved",
}

Query = Mapping[str, str | int | None]


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
class Request:
    """What is asked for. ``body`` is sent as JSON."""

    method: str
    path: str
    query: Query
    body: Any
    headers: Mapping[str, str]

    @property
    def url(self) -> str:
        """Path and query below the host."""
        # Commas stay as they are: the contract's clients send lists of fields like that.
        given = {key: str(value) for key, value in self.query.items() if value is not None}
        query = urlencode(given, safe=",")
        return f"{BASE_PATH}{self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` is the decoded JSON; None when it was none."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the manager has done what it was asked for."""
        return 200 <= self.status < 300 and self.body is not None  # noqa: PLR2004 -- The 2xx of HTTP.

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
    """Send a request and read the answer, on a connection of its own. Raises ``Unreachable``."""
    connection = _connection(target)
    try:
        _connect(connection)
        return _converse(connection, request)
    finally:
        connection.close()


def _connection(target: Target) -> http.client.HTTPConnection:
    if target.tls is None:
        return http.client.HTTPConnection(target.address, target.port, timeout=CONNECT_TIMEOUT_S)
    return http.client.HTTPSConnection(
        target.address, target.port, timeout=CONNECT_TIMEOUT_S, context=target.tls
    )


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except OSError as error:
        raise Unreachable(_reason(error), sent=False) from error
    connection.sock.settimeout(READ_TIMEOUT_S)


def _converse(connection: http.client.HTTPConnection, request: Request) -> Answer:
    body = None if request.body is None else json.dumps(request.body)
    headers = {"Content-type": "application/json", "Connection": "close", **request.headers}
    try:
        connection.request(request.method, request.url, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, _decoded(response.read()))
    except TimeoutError as error:
        raise Unreachable(f"gave no answer within {READ_TIMEOUT_S:g} s", sent=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"broke the connection ({_reason(error)})", sent=True) from error


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
