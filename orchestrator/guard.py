"""The lease guard: the fence of this machine against itself.

A small process apart from Celery and Redis. It knows one thing only: until when the last confirmed renewal
of the lease is good. When that time has passed with no newer renewal, it stops the local database before
anyone else can have taken over. So a hung worker, a dead broker or a stalled Consul leads to a clean stop.

It also listens on a TCP port, and says nothing there. A connection to it that breaks tells every member at
once that this node's processes are gone; the operating system does that even when all of them were killed.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import sys
from pathlib import Path

from orchestrator.clients.clock import now_s
from orchestrator.clients.postgres.postmaster import Postmaster
from orchestrator.config import NodeConfig, load
from orchestrator.record import lease_file

log = logging.getLogger("guard")

IDLE_S = 1.0
"""How often the guard looks when there is no lease to watch."""

SHORTEST_LOOK_S = 0.02


def due_in_s(state: lease_file.LeaseState | None, at_s: float) -> float | None:
    """In how many seconds the database has to stop, 0 for now; None when nothing is due.

    A node that is no member is its own master. A node without a readable state has never led since this
    machine started, so its database was not started as a primary either.
    """
    if state is None or not state.member or state.valid_until_s == 0:
        return None
    return max(0.0, state.valid_until_s - at_s)


class Guard:
    """Watches the lease file, and keeps connections of the other members open."""

    def __init__(self, config: NodeConfig) -> None:
        self._lease_file: Path = config.paths.lease_file
        self._data: Path = config.paths.postgres_data
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(
            (config.host_ip, config.ports.guard), reuse_port=False, backlog=64
        )
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._selector.register(self._listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Guard until the process is ended."""
        while True:
            self._answer(self.look())

    def look(self) -> float:
        """Look once, fence if it is time; returns in how many seconds to look again."""
        due_s = due_in_s(lease_file.read(self._lease_file), now_s())
        if due_s is None:
            return IDLE_S
        if due_s > 0:
            return max(SHORTEST_LOOK_S, min(due_s, IDLE_S))
        # A standby may run without a lease: it acknowledges nothing to clients.
        is_standby = (self._data / "standby.signal").exists()
        if not is_standby and Postmaster(self._data).signal(signal.SIGQUIT):
            log.warning("The lease was not renewed in time: the database was stopped.")
        return IDLE_S

    def _answer(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._listener:
                connection, _ = self._listener.accept()
                connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
                self._selector.register(connection, selectors.EVENT_READ)
            else:
                self._hear(key.fileobj)

    def _hear(self, connection: object) -> None:
        """Whatever is said is ignored; a connection that has ended is closed."""
        if not isinstance(connection, socket.socket):
            return
        try:
            said = connection.recv(64)
        except OSError:
            said = b""
        if not said:
            self._selector.unregister(connection)
            connection.close()


def main() -> int:
    """Guard the node that ``CLOUDIFY_CONFIG`` names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s guard: %(message)s")
    Guard(load()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
