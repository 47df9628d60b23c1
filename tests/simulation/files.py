"""The replicated files of the simulated world: units are names in a set, and rsync copies from set to set.

Uploads are the product's own order of steps (``manager/gateway/files.py`` waits for the replicas); only the
storing of bytes and the insertion of a row are simulated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manager.errors import Unavailable
from manager.gateway.files import Files
from orchestrator.model.errors import DatabaseUnavailable, PeerUnavailable, Unfinished
from orchestrator.model.files import FilesRecord
from orchestrator.model.snapshot import Member
from tests.simulation.programs import nap

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.machine import Machine

PROTECT_S = 5.0
UPLOAD_EVERY_S = (0.3, 2.0)


class SimMirror:
    """What ``orchestrator.clients.mirror.Mirror`` is on a simulated machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._locked = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        if self._locked:
            raise Unfinished("an earlier transfer has not ended")
        self._locked = True
        try:
            yield
        finally:
            self._locked = False

    def units(self) -> frozenset[str]:
        return frozenset(self._machine.units)

    def units_of(self, member: Member) -> frozenset[str]:
        self._reach(member)
        return frozenset(self._source(member).units)

    def in_flight(self, units: Iterable[str]) -> frozenset[str]:
        return frozenset(units) & self._machine.uploading

    def fetch(self, member: Member, units: frozenset[str]) -> int:
        """One unit after the other; what is killed in between has some of them, each of them whole."""
        for unit in sorted(units):
            self._reach(member)
            if unit in self._source(member).units:
                self._machine.units.add(unit)
        return len(units)

    def mend(self, member: Member, units: frozenset[str], *, by_content: bool, delete: bool) -> int:
        self._reach(member)
        return 0

    def copy(self, folder: object) -> int:
        return len(self._machine.units)

    def remove(self, units: Iterable[str]) -> None:
        for unit in sorted(units):
            nap(self._machine.cluster.pace.between(0.001, 0.01))
            self._machine.units.discard(unit)
            self._machine.cluster.invariants.unit_removed(self._machine, unit)

    def _source(self, member: Member) -> Machine:
        return self._machine.cluster.machines[member.name]

    def _reach(self, member: Member) -> None:
        cluster = self._machine.cluster
        nap(cluster.pace.between(0.02, 0.2))
        source = self._source(member)
        if not cluster.linked(self._machine, source) or cluster.pace.happens(cluster.lost_calls):
            raise PeerUnavailable(f"{member.name} cannot be reached")


class SimProduct:
    """What ``orchestrator.clients.product.Product`` is on a simulated machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def named(self) -> frozenset[str]:
        """Units whose rows are seen: of a commit that waits for replicas nothing is."""
        nap(self._machine.cluster.pace.between(0.002, 0.01))
        server, rows = self._machine.database.need(), self._machine.cluster.rows
        waiting = set(server.waiting) if server.primary else set()
        return frozenset(
            rows[record.number]
            for index, record in enumerate(self._machine.database.disk.wal)
            if record.number in rows and index not in waiting
        )

    def unnamed(self, units: frozenset[str], timeout_s: float) -> frozenset[str]:
        until_s = self._machine.cluster.schedule.now_s + timeout_s
        while (free := units - self.named()) != units and self._machine.cluster.schedule.now_s < until_s:
            nap(0.05)
        return free

    def take_up_executions(self, term: int) -> tuple[int, int]:
        nap(self._machine.cluster.pace.between(0.002, 0.01))
        self._machine.database.need()
        return 0, 0

    def settle(self, timeout_s: float) -> None:
        cluster = self._machine.cluster
        until_s = cluster.schedule.now_s + timeout_s
        end = len(self._machine.database.disk.wal)
        while any(index < end for index in self._machine.database.need().waiting):
            if cluster.schedule.now_s > until_s:
                raise Unfinished("a transaction has not ended")
            nap(0.05)


class SimGateway(Files):
    """The gateway of the REST service that runs on a simulated machine."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.config, consul=lambda: machine.consul_client)
        self._generations = machine.cluster.generations
        self.unit = ""

    def is_member(self) -> bool:
        return True

    def _bump(self) -> FilesRecord:
        record = super()._bump()
        self._generations[record.generation] = self.unit
        return record


def upload_for_ever(machine: Machine) -> None:
    """Somebody uploads a file to this manager whenever it serves."""
    cluster = machine.cluster
    gateway = SimGateway(machine)
    while True:
        nap(cluster.pace.between(*UPLOAD_EVERY_S))
        if machine.serves:
            _upload(cluster, machine, gateway)


def _upload(cluster: SimCluster, machine: Machine, gateway: SimGateway) -> None:
    number = cluster.next_number()
    unit = f"unit {number}"
    machine.uploading.add(unit)
    try:
        nap(cluster.pace.between(0.01, 0.1))
        machine.units.add(unit)
        gateway.unit = unit
        gateway.protect_files(PROTECT_S)
        _insert(cluster, machine, number, unit)
    except (Unavailable, DatabaseUnavailable):
        # Nothing is done about the unit: it is an orphan, like that of an upload that was killed.
        return
    finally:
        machine.uploading.discard(unit)


def _insert(cluster: SimCluster, machine: Machine, number: int, unit: str) -> None:
    """The row, in a transaction of its own; returns when it was confirmed, or when the server is gone."""
    nap(cluster.pace.between(0.001, 0.01))
    server = machine.database.need()
    if not server.primary or server.read_only or server.stopping or not machine.serves:
        raise DatabaseUnavailable("no writes here")
    cluster.rows[number] = unit
    index = cluster.replication.write(machine, number)
    while index in server.waiting and machine.database.server is server:
        nap(0.02)
