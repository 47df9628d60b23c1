"""The watcher: wakes the loop when something has changed, so that nobody waits for the next beat.

Three threads watch: the cluster's keys and the health checks in Consul (blocking queries), and the leader's
guard (a connection that breaks when the leader's processes die). They only wake the loop; what a change means
is decided there. The one thing the watcher says itself is a suspicion, because it alone has the connection.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.clients.consul import Consul
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.snapshot import Lease

log = logging.getLogger("watcher")

WAIT_S = 30.0
RETRY_S = 0.5
CONNECT_TIMEOUT_S = 1.0
SURE_AFTER_REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Target:
    """Whose guard to hold a connection to, and in which term."""

    name: str
    host_ip: str
    term: int


@dataclass(slots=True)
class Watcher:
    """Watches on behalf of one node; ``wake`` enqueues a tick."""

    config: NodeConfig
    consul: Consul
    wake: Callable[[], None]
    _stopped: threading.Event = field(default_factory=threading.Event)
    _target: Target | None = None
    _new_target: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Watch until ``stop`` is called."""
        threads = [
            threading.Thread(target=work, name=work.__name__, daemon=True)
            for work in (self._watch_health, self._watch_leader)
        ]
        for thread in threads:
            thread.start()
        self._watch_keys()

    def stop(self) -> None:
        """End all threads at their next step."""
        self._stopped.set()
        self._new_target.set()

    def _watch_keys(self) -> None:
        index = 0
        while not self._stopped.is_set():
            try:
                index = self.consul.wait_for_change(index, WAIT_S)
                self.wake()
                self._aim(self.consul.read_lease())
            except ConsulUnavailable as error:
                log.info("Consul cannot be watched: %s", error)
                index = 0
                self._stopped.wait(RETRY_S)

    def _watch_health(self) -> None:
        index = 0
        while not self._stopped.is_set():
            try:
                index = self.consul.wait_for_health(index, WAIT_S)
                self.wake()
            except ConsulUnavailable:
                index = 0
                self._stopped.wait(RETRY_S)

    def _aim(self, lease: Lease) -> None:
        """Turn to whoever leads now. Only a new leader is looked up among the members."""
        known = self._target
        if known is not None and (known.name, known.term) == (lease.holder, lease.term):
            return
        self._target = None
        if lease.holder is not None and lease.holder != self.consul.me:
            leader = self.consul.view().members.get(lease.holder)
            self._target = Target(leader.name, leader.host_ip, lease.term) if leader else None
        if self._target != known:
            self._new_target.set()

    def _watch_leader(self) -> None:
        """Hold a connection to the leader's guard; when it breaks and cannot be made again, say so."""
        while not self._stopped.is_set():
            self._new_target.clear()
            target = self._target
            if target is None:
                self._new_target.wait()
                continue
            if self._hold(target):
                continue
            log.warning("The guard of %s refuses connections.", target.name)
            self._suspect(target.term)
            self._new_target.wait(RETRY_S)

    def _hold(self, target: Target) -> bool:
        """Stay connected while the target is the same; False when its machine says that nobody listens.

        A host that does not answer at all is left to Consul and to the time to live: slow is not dead.
        """
        try:
            with socket.create_connection(
                (target.host_ip, self.config.ports.guard), CONNECT_TIMEOUT_S
            ) as held:
                self._suspect(None)
                held.settimeout(RETRY_S)
                while self._target == target and not self._stopped.is_set():
                    try:
                        if not held.recv(64):
                            break
                    except TimeoutError:
                        continue
        except ConnectionRefusedError:
            return False
        except ConnectionResetError:
            log.warning("The connection to the guard of %s broke.", target.name)
        except OSError as error:
            log.info("The guard of %s: %s", target.name, error)
            self._new_target.wait(RETRY_S)
        return True

    def _suspect(self, term: int | None) -> None:
        if term == self._suspected:
            return
        try:
            self.consul.suspect(term)
            self._suspected = term
        except ConsulUnavailable as error:
            log.info("A suspicion could not be told: %s", error)

    _suspected: (
        int | None
    ) = -1  # Nothing is known of what an earlier watcher said, so the first word is said anew.
