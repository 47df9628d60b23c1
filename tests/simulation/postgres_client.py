"""What ``orchestrator.clients.postgres.Postgres`` is on a simulated machine, step for step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from orchestrator.clients.postgres import names
from orchestrator.model.errors import DatabaseUnavailable, Diverged, Unfinished
from orchestrator.model.lsn import Fork, Lsn, Position, Terms
from orchestrator.model.snapshot import Database, Role, Stream, SyncSetting
from tests.simulation.programs import nap
from tests.simulation.replication import STOP_S
from tests.simulation.wal import common_by_number, common_length, terms_of, updated_at_s

if TYPE_CHECKING:
    from orchestrator.clients.postgres import Upstream
    from tests.simulation.database import SimDatabase
    from tests.simulation.machine import Machine

POLL_S = 0.05
WAIT_S = 5.0


class SimPostgresClient:
    """Gives way to the world before each thing it does: there it can be frozen or killed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._cluster = machine.cluster

    @property
    def _database(self) -> SimDatabase:
        return self._machine.database

    def _work(self, low_s: float = 0.002, high_s: float = 0.02) -> None:
        nap(self._cluster.pace.between(low_s, high_s))

    def _wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline_s = self._cluster.schedule.now_s + timeout_s
        while not condition():
            if self._cluster.schedule.now_s >= deadline_s:
                raise Unfinished(what)
            nap(POLL_S)

    def read(self) -> Database:
        self._work()
        database, server = self._database, self._database.server
        if server is None:
            return Database()
        if database.frozen:
            return Database(Role.UNREACHABLE)
        receiver = server.receiver
        return Database(
            role=Role.PRIMARY if server.primary else Role.STANDBY,
            position=database.position,
            upstream=None if server.primary else database.disk.upstream,
            receiving=receiver is not None and not receiver.closed,
            read_only=server.read_only,
            setting=server.setting,
            streams={
                name: Stream(name, not connection.closed, Lsn(connection.flushed))
                for name, connection in server.senders.items()
            },
            slots=self._slots(),
            updated_at=updated_at_s(database.disk.wal),
        )

    def _slots(self) -> frozenset[str]:
        node_of = {names.slot_name(node, self.incarnation()): node for node in self._cluster.machines}
        return frozenset(node_of.get(slot, slot) for slot in self._database.disk.slots)

    def incarnation(self) -> str:
        return str(self._database.disk.incarnation or "")

    def kill(self) -> bool:
        self._work()
        was_running = self._database.server is not None
        self._machine.kill_database()
        return was_running

    def start(self, *, standby: bool) -> None:
        self._work(0.05, 0.3)
        self._database.start(standby=standby)

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        self._work()
        server = self._database.server
        if server is None or mode == "immediate" or self._database.frozen:
            self._database.crash()
            return
        if not server.stopping:
            server.stopping_since_s = self._cluster.schedule.now_s
            server.transactions, server.waiting = 0, []
            if server.primary:
                self._database.append(self._cluster.next_number())
        self._machine.background.wake(POLL_S)
        self._wait(lambda: self._database.server is not server, 2 * STOP_S, "the server does not stop")

    def shut_down(self) -> None:
        self.stop("fast")

    def checkpoint(self, timeout_s: float) -> None:
        """What is written back is not part of the simulated world; that it takes its time is."""
        self._work()
        self._database.need()

    def final_position(self) -> Position:
        self._work()
        self._database.need()
        return self._database.position

    def shutdown_position(self) -> Position:
        self._work()
        if self._database.server is not None or not self._database.disk.clean:
            raise DatabaseUnavailable("the server was not shut down")
        return replace(self._database.position, term=0)

    def forks(self) -> tuple[Fork, ...]:
        return self._database.forks

    def mark_term(self, term: int) -> None:
        self._work()
        if not self._database.need().primary:
            raise DatabaseUnavailable("the database is read only")
        if self._database.position.term < term:
            self._database.append(self._cluster.next_number(), term, self._cluster.schedule.now_s)

    def terms(self) -> Terms:
        return terms_of(self._database.disk.wal)

    def detach(self, timeout_s: float) -> None:
        self._work()
        self._database.disk.upstream, self._database.disk.slot = None, ""
        if self._database.server is None:
            return
        self._work()
        self._database.reload()
        self._wait(self._has_no_receiver, timeout_s, "the walreceiver is not gone")

    def _has_no_receiver(self) -> bool:
        return self._database.need().receiver is None

    def set_upstream(self, upstream: Upstream) -> None:
        self._work()
        disk = self._database.disk
        disk.upstream = upstream.name
        disk.slot = names.slot_name(self._machine.name, upstream.incarnation)
        self._work()
        self._database.reload()

    def wait_receiving(self, timeout_s: float) -> bool:
        def receives() -> bool:
            receiver = self._database.need().receiver
            return receiver is not None and not receiver.closed

        try:
            self._wait(receives, timeout_s, "")
        except Unfinished:
            return False
        return True

    def prepare_promotion(self, setting: SyncSetting) -> None:
        self._work()
        self._database.disk.setting = setting
        self._database.disk.read_only = True
        self._work()
        self._database.reload()

    def promote(self, timeout_s: float) -> None:
        self._work(0.03, 0.1)
        self._database.need()
        self._database.promote(self._cluster.next_number())

    def set_standbys(self, setting: SyncSetting) -> None:
        self.announce_standbys(setting)
        self.confirm_standbys()

    def announce_standbys(self, setting: SyncSetting) -> None:
        self._work()
        self._database.disk.setting = setting
        self._work()
        self._database.need()
        self._database.reload()

    def confirm_standbys(self) -> None:
        self._wait(self._is_in_force, WAIT_S, "the setting is not in force yet")

    def _is_in_force(self) -> bool:
        return self._database.need().setting_is_in_force

    def set_read_only(self, *, read_only: bool) -> None:
        self._work()
        self._database.disk.read_only = read_only
        self._work()
        self._database.reload()

    def wait_caught_up(self, members: Iterable[str], timeout_s: float) -> None:
        self._work()
        server, barrier = self._database.need(), len(self._database.disk.wal)

        def all_have_it() -> bool:
            if self._database.need() is not server:
                raise DatabaseUnavailable("the server was started anew")
            flushed = {name: sender.flushed for name, sender in server.senders.items()}
            return all(flushed.get(name, 0) >= barrier for name in members)

        self._wait(all_have_it, timeout_s, "a member has not caught up")

    def first_caught_up(self, members: Iterable[str], timeout_s: float) -> frozenset[str]:
        self._work()
        server, barrier = self._database.need(), len(self._database.disk.wal)

        def those_that_have_it() -> frozenset[str]:
            if self._database.need() is not server:
                raise DatabaseUnavailable("the server was started anew")
            flushed = {name: sender.flushed for name, sender in server.senders.items()}
            return frozenset(name for name in members if flushed.get(name, 0) >= barrier)

        self._wait(lambda: bool(those_that_have_it()), timeout_s, "nobody has caught up")
        return those_that_have_it()

    def write_config(self, me: str, members: Iterable[str]) -> None:
        """Who may connect is not part of the simulated world."""

    def keep_slots(self, nodes: Iterable[str]) -> None:
        """A slot that goes cuts off who uses it."""
        self._work()
        kept = frozenset(names.slot_name(node, self.incarnation()) for node in nodes)
        self._database.disk.slots = kept
        for connection in self._database.need().senders.values():
            connection.closed = connection.closed or connection.slot not in kept
        self._machine.background.wake(POLL_S)

    def _source(self, upstream: Upstream) -> SimDatabase:
        source = self._cluster.machines[upstream.name]
        if not self._cluster.linked(self._machine, source) or source.database.server is None:
            raise DatabaseUnavailable(f"{upstream.name} does not answer")
        return source.database

    def rewind(self, upstream: Upstream) -> None:
        """pg_rewind: it compares timelines by number, and leaves a ruin when it is cut short."""
        self._work()
        source, mine = self._source(upstream), self._database.disk
        if mine.broken:
            raise Diverged("an earlier rewind was cut short")
        common = common_by_number(mine.wal, source.disk.wal)
        if common == len(mine.wal):
            mine.incarnation += 1
            return  # "no rewind required"
        mine.broken = True
        for _ in range(2):
            self._work(0.05, 0.3)
        source = self._source(upstream)
        truly_common = common_length(mine.wal, source.disk.wal)
        self._cluster.invariants.rewound(self._machine.name, upstream.name, common, truly_common)
        self._swap_in(source)

    def base_backup(self, upstream: Upstream, keep: object = None) -> None:
        """A copy beside the old folder, swapped in when it is complete."""
        for _ in range(3):
            self._work(0.05, 0.5)
            source = self._source(upstream)
        if keep is not None:
            self._cluster.invariants.archived(self._database.disk.wal)
        self._swap_in(source)

    def dump(self, file: object, timeout_s: float) -> None:
        """Into an archive, which is never lost here."""
        self._work(0.05, 0.5)
        self._cluster.invariants.archived(self._database.disk.wal)

    def _swap_in(self, source: SimDatabase) -> None:
        mine = self._database.disk
        self._cluster.invariants.replaces(self._machine.name, mine.wal, source.disk.wal)
        self._database.disk = replace(
            mine,
            wal=list(source.disk.wal),
            known_timeline=max(mine.known_timeline, source.disk.known_timeline),
            incarnation=mine.incarnation + 1,
            slots=frozenset(),
            broken=False,
        )
        self._cluster.invariants.log_replaced(self._machine.name)
