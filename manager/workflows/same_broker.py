"""A broker that was started anew has lost all that it had, and has to be noticed by whoever relies on that.

A client connects again without a word when it finds its connection broken before it asks. So each connection
looks which broker it has come to.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import redis

RUN_ID = re.compile(rb"run_id:(\w+)")
"""Redis makes one up whenever it starts (``INFO server``)."""


class SameBroker:
    """The broker to which the first connection has come. ``connected`` is called for each (redis-py)."""

    def __init__(self) -> None:
        self._run_id: str | None = None
        self._lock = threading.Lock()

    def connected(self, connection: Any) -> None:
        """Log in, and see who is there. Raises ``redis.ConnectionError`` when it is another one."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        told = RUN_ID.search(connection.read_response(disable_decoding=True))
        found = told[1].decode() if told else None
        with self._lock:
            self._run_id = self._run_id or found
            if found != self._run_id:
                raise redis.ConnectionError("The broker was started anew, and has lost what it had.")
