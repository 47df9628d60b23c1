"""The lease guard: the fence of this machine against itself.

A small process apart from Celery and Redis. It knows one thing only: until when the last confirmed renewal
of the lease is good. When that time has passed with no newer renewal, it stops the local database before
anyone else can have taken over. So a hung worker, a dead broker or a stalled Consul leads to a clean stop.

It also listens on a TCP port, and says nothing there. A connection to it that breaks tells every member at
once that this node's processes are gone; the operating system does that even when all of them were killed.

And it sees when the disk hangs. Such a leader would stay in office for as long as that lasts: its database
answers who only reads, its loop renews the lease over the network, and a Consul that leads the servers keeps
them quiet by heartbeats that need no disk, while it can write nothing down. So the guard gives the node up:
it stops the database, kills Consul, and hangs up on the members.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

from orchestrator.clients.clock import now_s
from orchestrator.clients.disk import DiskProbe
from orchestrator.clients.postgres.postmaster import Postmaster
from orchestrator.clients.services import Services, services_of
from orchestrator.config import NodeConfig, load
from orchestrator.model.errors import ClusterError
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
    """Watches the lease file and the disk, and keeps connections of the other members open."""

    def __init__(self, config: NodeConfig, services: Services, disk: DiskProbe) -> None:
        self._config = config
        self._lease_file: Path = config.paths.lease_file
        self._data: Path = config.paths.postgres_data
        self._services = services
        self._disk = disk
        self._selector = selectors.DefaultSelector()
        self._given_up = False
        self._listen()

    def run(self) -> None:
        """Guard until the process is ended."""
        while True:
            self._answer(self.look())

    def look(self) -> float:
        """Look once, fence if it is time; returns in how many seconds to look again."""
        state = lease_file.read(self._lease_file)
        if (
            self._disk.hanging_s() >= self._config.timing.disk_timeout_s
            and state is not None
            and state.member
        ):
            self._give_up(state)
            return IDLE_S
        if self._given_up:
            self._begin_anew()
        due_s = due_in_s(state, now_s())
        if due_s is None:
            return IDLE_S
        if due_s > 0:
            return max(SHORTEST_LOOK_S, min(due_s, IDLE_S))
        if self._stop_database():
            log.warning("The lease was not renewed in time: the database was stopped.")
        return IDLE_S

    def _stop_database(self) -> bool:
        """Whether there was one to stop. A standby may run without a lease: it acknowledges nothing."""
        is_standby = (self._data / "standby.signal").exists()
        return not is_standby and Postmaster(self._data).signal(signal.SIGQUIT)

    def _give_up(self, state: lease_file.LeaseState) -> None:
        """Act as a node that has died, whatever the disk does later: fence it, and let the members see it."""
        if state.leads(now_s()):
            # Without a lease the node asks no member for its word, which would keep the others from an
            # election. A loop that still runs may write it again; then it is taken back at the next look.
            over = replace(state, serving=False, opened=False, valid_until_s=now_s())
            lease_file.write(self._lease_file, over)
        self._stop_database()
        if self._given_up:
            return
        self._given_up = True
        self._hang_up()
        try:
            self._services.kill("consul")
        except ClusterError as error:
            log.warning("Consul could not be killed: %s", error)
        log.warning(
            "The disk hangs: the database was stopped and Consul killed, so that another node can lead."
        )

    def _begin_anew(self) -> None:
        log.warning("The disk goes on.")
        self._given_up = False
        self._listen()

    def _listen(self) -> None:
        address = (self._config.host_ip, self._config.ports.guard)
        listener = socket.create_server(address, reuse_port=False, backlog=64)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def _hang_up(self) -> None:
        for key in tuple(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                self._close(key.fileobj)

    def _answer(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.fileobj, socket.socket):
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._selector.register(connection, selectors.EVENT_READ, self._hear)

    def _hear(self, connection: socket.socket) -> None:
        """Whatever is said is ignored; a connection that has ended is closed."""
        try:
            said = connection.recv(64)
        except OSError:
            said = b""
        if not said:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()


def main() -> int:
    """Guard the node that ``CLOUDIFY_CONFIG`` names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s guard: %(message)s")
    config = load()
    disk = DiskProbe(config.paths.disk_probe)
    disk.start()
    Guard(config, services_of(config), disk).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
