"""The REST service of a member that leads, as far as an agent asks it before it begins: all is wanted.

What a real leader says of operations that are over is in ``test_what_is_over_is_not_begun``.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SENT = {"state": "sent", "retries": 0}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = "/operations/" in self.path
        self._answer(200, SENT) if wanted else self._answer(503, {})

    def do_POST(self) -> None:
        self._answer(503, {})

    def _answer(self, status: int, told: dict[str, object]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class LeadingRest:
    """At an address, from ``start`` to ``stop``."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Answer."""
        if self._server is None:
            self._server = ThreadingHTTPServer(self._where, _Handler)
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
