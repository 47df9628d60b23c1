"""The HTTP server: uvicorn, with what the contract and a cluster need beyond it."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from manager import errors
from manager.app import create
from manager.gateway import Gateway
from manager.refusals import ABORT
from manager.settings import Settings

GRACE_S = 5
KEEP_ALIVE_S = 60
RELOAD_EVERY_S = 1.0


class Protocol(HttpToolsProtocol):
    """Lets a request close its connection at once, and has no answers in plain text."""

    def on_message_begin(self) -> None:
        """Put the way to close the connection where the application finds it."""
        super().on_message_begin()
        extensions: dict[str, Any] = {ABORT: self.transport.abort}
        self.scope["extensions"] = extensions

    def shutdown(self) -> None:
        """Close an idle connection at once: TLS would wait for the client to say good-bye as well."""
        if not self.transport.is_closing():
            # asyncio's TLS forgets a connection that is closed twice, and could not abort it any more.
            super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """What was received is not HTTP: say so as for any other bad request."""
        content = json.dumps(errors.body(msg, errors.BadParameters.error_code)).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()


class Server(uvicorn.Server):
    """Takes up a new certificate while it runs: a manager that joins a cluster gets one of another CA."""

    def __init__(self, config: uvicorn.Config, certificate: Path | None, key: Path | None) -> None:
        super().__init__(config)
        self._files = (certificate, key) if certificate and key else None

    async def startup(self, sockets: Any = None) -> None:
        """Start, and watch the certificate from then on."""
        await super().startup(sockets)
        if self._files and isinstance(self.config.ssl, ssl.SSLContext):
            self._watch = asyncio.create_task(follow_certificate(self.config.ssl, *self._files))

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop watching, and stop."""
        if self._files and hasattr(self, "_watch"):
            self._watch.cancel()
        await super().shutdown(sockets)


async def follow_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load the certificate whenever its files have changed; connections to come are made with the new one."""
    loaded = _stamps(certificate, key)
    while True:
        await asyncio.sleep(RELOAD_EVERY_S)
        present = _stamps(certificate, key)
        if present == loaded:
            continue
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError):
            # The two files are replaced one after the other: between them they do not fit.
            continue
        loaded = present


def _stamps(*files: Path) -> tuple[tuple[int, int] | None, ...]:
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def server(settings: Settings, gateway: Gateway) -> Server:
    """The REST service of a node, ready to ``run()``."""
    config = uvicorn.Config(
        create(settings, gateway),
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    return Server(config, settings.certificate, settings.key)
