"""Managers that answer by a table, on loopback addresses of their own, over real HTTP and HTTPS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support.addresses import network

NETWORK: Final = network(96)

DROP: Final = (0, None)
"""An answer: the request is read, and the connection closed."""

EVERYTHING: Final = 1 << 40


@dataclass(frozen=True)
class File:
    """The body of an answer that is a file. ``sent``: how many of its bytes, before the connection breaks."""

    name: str | None
    content: bytes
    sent: int | None = None


Answer = tuple[int, Any]
Answers = Answer | Sequence[Answer] | Callable[["Seen"], Answer]

NOT_LEADER: Final = (
    400,
    {"message": "It is not the active manager in the cluster.", "error_code": "not_cluster_master"},
)
REMOVED: Final = (
    400,
    {
        "message": "This node was removed from the Cloudify Manager cluster",
        "error_code": "removed_from_cluster",
    },
)
FORBIDDEN: Final = (
    403,
    {"message": "User `joe` is not permitted to perform this action", "error_code": "forbidden_error"},
)
UNAUTHORIZED: Final = (
    401,
    {"message": "User unauthorized: wrong password", "error_code": "unauthorized_error"},
)


def error(status: int, error_code: str, message: str) -> Answer:
    """An error as the contract has it."""
    return status, {"message": message, "error_code": error_code, "server_traceback": None}


def items(*entries: Any) -> Answer:
    """A list as the contract has it."""
    pagination = {"total": len(entries), "offset": 0, "size": 1000}
    return 200, {"items": list(entries), "metadata": {"pagination": pagination}}


@dataclass(frozen=True)
class Seen:
    """A request that a manager got. ``body``: the bytes of an upload, or what the JSON says."""

    method: str
    path: str
    query: str
    body: Any
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")


@dataclass
class Manager:
    """One manager. ``table``: "GET /path" -> its answers in turn (the last for ever); "*" for the rest.

    ``reads``: after how many bytes of an upload it answers; all of them, unless it says otherwise.
    """

    address: str
    table: dict[str, Answers]
    reads: int = EVERYTHING
    seen: list[Seen] = field(default_factory=list)
    _given: dict[str, int] = field(default_factory=dict)

    def answer(self, seen: Seen) -> Answer:
        """The answer to a request; what the table does not have is not found."""
        self.seen.append(seen)
        key = f"{seen.method} {seen.path}"
        answers = self.table.get(key, self.table.get("*", error(404, "not_found_error", f"no {key}")))
        if callable(answers):
            return answers(seen)
        if isinstance(answers, tuple):
            return answers
        number = self._given.get(key, 0)
        self._given[key] = number + 1
        return answers[min(number, len(answers) - 1)]

    def requests(self) -> list[str]:
        """What was asked, in order."""
        return [str(seen) for seen in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    manager: Manager

    def _handle(self) -> None:
        url = urlsplit(self.path)
        where = url.path.removeprefix("/api/v3.1")
        self.close_connection = True
        status, answer = self.manager.answer(
            Seen(self.command, where, url.query, self._body(), dict(self.headers))
        )
        if status:
            self._send(status, answer)

    def _body(self) -> Any:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self._chunks()
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(content) if content else None

    def _chunks(self) -> bytes:
        content = b""
        while len(content) < self.manager.reads and (size := int(self.rfile.readline(), 16)):
            content += self.rfile.read(size)
            self.rfile.readline()
        return content

    def _send(self, status: int, answer: Any) -> None:
        self.send_response(status)
        if isinstance(answer, File) and answer.name:
            self.send_header("Content-Disposition", f"attachment; filename={answer.name}")
        content = answer.content if isinstance(answer, File) else answer
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: answer.sent] if isinstance(answer, File) else content)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up (or does not trust the certificate) is part of the tests."""


class Cluster:
    """Several scripted managers on one port, as the contract has it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.managers: list[Manager] = []
        self._tls = tls
        self._servers: list[tuple[_Server, threading.Thread]] = []

    def add(self, table: dict[str, Answers]) -> Manager:
        """Start one more manager."""
        manager = Manager(f"{NETWORK}.{len(self.managers) + 1}", table)
        handler = type("Handler", (_Handler,), {"manager": manager})
        server = _Server((manager.address, self.port), handler)
        if self._tls:
            server.socket = self._tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self.managers.append(manager)
        self._servers.append((server, thread))
        return manager

    def close(self) -> None:
        """Stop all managers."""
        for server, thread in self._servers:
            server.shutdown()
            server.server_close()
            thread.join()
