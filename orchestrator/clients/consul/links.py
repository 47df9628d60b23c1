"""Connections to this node's own agent: kept open, one for each thread, and never used by two processes."""

from __future__ import annotations

import os
import select
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path

from orchestrator.clients.shown import tolerant_context


class Links:
    """The connections of all threads to one address, encrypted both ways by the node's certificate."""

    def __init__(self, host: str, port: int, certificates: Path, *, any_date: bool = False) -> None:
        """``any_date``: the agent's certificate may have ended."""
        self._host, self._port = host, port
        self._any_date = any_date
        self._certificates = certificates
        self._own = threading.local()

    @contextmanager
    def link(self, connect_timeout_s: float) -> Iterator[HTTPSConnection]:
        """A connection for one request, and kept if that succeeds. How long an answer may take is to be set.

        Raises ``OSError`` when there is no agent that shows a good certificate.
        """
        link = self._take() or self._connect(connect_timeout_s)
        try:
            yield link
        except BaseException:
            # An answer that was not waited for would be taken for that to the next question.
            link.close()
            raise
        if link.sock is not None:
            self._own.kept = os.getpid(), link

    def _take(self) -> HTTPSConnection | None:
        """The connection that this thread has kept, if it can still be used."""
        pid, link = getattr(self._own, "kept", (0, None))
        self._own.kept = 0, None
        # Two processes that talk over one inherited connection would garble it.
        if link is None or pid != os.getpid():
            return None
        if _has_ended(link):
            link.close()
            return None
        return link  # type: ignore[no-any-return]  # threading.local has no types.

    def _connect(self, timeout_s: float) -> HTTPSConnection:
        # Read anew each time: a manager that joins a cluster gets other certificates.
        context = tolerant_context(self._certificates) if self._any_date else _context(self._certificates)
        context.load_cert_chain(self._certificates / "node.pem", self._certificates / "node.key")
        link = HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)
        link.connect()
        return link


def _context(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates / "ca.pem")
    return context


def _has_ended(link: HTTPSConnection) -> bool:
    """Whether the agent has closed the connection: it says nothing unasked, so nothing else can be heard."""
    poll = select.poll()
    poll.register(link.sock, select.POLLIN)
    return bool(poll.poll(0))
