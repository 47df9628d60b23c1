"""Streaming and quorum commit: what PostgreSQL does on its own, one small thing at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.model.lsn import shares_history
from tests.simulation.database import Connection, Server
from tests.simulation.wal import common_length

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.machine import Machine

RETRY_S = 0.3
WATCH_S = 1.0
STOP_S = 3.0
"""After so long a clean stop no longer waits for standbys that lag behind."""

MOST_RECORDS = 3


class Replication:
    """What goes on inside and between the databases, without anyone asking for it."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster

    def step(self, machine: Machine) -> float | None:
        """Do one thing that is due in this machine's database; in how many seconds to look again."""
        server = machine.database.server
        if server is None:
            return None
        pace = self._cluster.pace
        if server.stopping and self._has_stopped(machine, server):
            return None
        if server.reload_due:
            self._pick_up_reload(machine, server)
        elif not self._take_reply(machine, server):
            return self._watch_standbys(server) if server.primary else self._receive(machine, server)
        return pace.between(0.002, 0.02)

    def _has_stopped(self, machine: Machine, server: Server) -> bool:
        """A clean stop waits until every connected standby has all, the shutdown checkpoint included."""
        end, patience_s = len(machine.database.disk.wal), self._cluster.schedule.now_s - STOP_S
        sent = all(sender.closed or sender.flushed >= end for sender in server.senders.values())
        if not sent and (server.stopping_since_s or 0.0) > patience_s:
            machine.background.wake(STOP_S)
            return False
        machine.database.crash()
        machine.database.disk.clean = True
        return True

    def _watch_standbys(self, server: Server) -> float:
        """Give up on standbys from which nothing has been heard for long (``wal_sender_timeout``)."""
        for connection in server.senders.values():
            standby = self._cluster.machines[connection.standby]
            if (
                self._cluster.linked(standby, self._cluster.machines[server.name])
                and not standby.database.frozen
            ):
                connection.heard_s = self._cluster.schedule.now_s
            elif self._cluster.is_silent_for_long(connection):
                connection.closed = True
        return WATCH_S

    def _pick_up_reload(self, machine: Machine, server: Server) -> None:
        """One process of the server at a time sees the new setting, some only by and by."""
        if self._cluster.pace.happens(self._cluster.laziness):
            return
        behind = [sender for sender in server.senders.values() if sender.setting != server.setting]
        if server.in_force != server.setting and (
            not behind or self._cluster.pace.random.random() < 1 / (len(behind) + 1)
        ):
            server.in_force = server.setting
            if server.in_force.k == 0 and server.primary:
                self._release(machine, server, len(machine.database.disk.wal))
        elif behind:
            self._cluster.pace.random.choice(behind).setting = server.setting
        server.reload_due = not server.setting_is_in_force

    def _take_reply(self, machine: Machine, server: Server) -> bool:
        """A walsender hears how far its standby is, and sees whether that is enough for who waits."""
        for connection in list(server.senders.values()):
            if connection.reply is None:
                if connection.closed:
                    del server.senders[connection.standby]
                continue
            connection.flushed, connection.reply = connection.reply, None
            if server.primary:
                self._release(machine, server, _acknowledged_up_to(server, connection))
            return True
        return False

    def _release(self, machine: Machine, server: Server, up_to: int) -> None:
        done = [index for index in server.waiting if index < up_to]
        server.waiting = [index for index in server.waiting if index >= up_to]
        for index in done:
            self._cluster.acknowledge(machine, index)

    def commit(self, machine: Machine) -> None:
        """A transaction ends: it is in the log at once, and acknowledged when the setting is satisfied."""
        machine.database.need().transactions -= 1
        self.write(machine, self._cluster.next_number())

    def write(self, machine: Machine, number: int) -> int:
        """Commit one record; returns its index."""
        server = machine.database.need()
        index = machine.database.append(number, at_s=self._cluster.schedule.now_s)
        if server.in_force.k == 0:
            self._cluster.acknowledge(machine, index)
        else:
            server.waiting.append(index)
        return index

    def _receive(self, machine: Machine, server: Server) -> float | None:
        connection = server.receiver
        if connection is not None and (connection.closed or connection.sender.name != server.upstream):
            connection.closed = True
            server.receiver = connection = None
        if server.upstream is None:
            return None
        if connection is None:
            return self._connect(machine, server, server.upstream)
        source = self._cluster.machines[connection.sender.name]
        if not self._cluster.linked(machine, source):
            connection.closed = self._cluster.is_silent_for_long(connection)
            return RETRY_S
        connection.heard_s = self._cluster.schedule.now_s
        return self._stream(machine, connection, source)

    def _stream(self, machine: Machine, connection: Connection, source: Machine) -> float | None:
        theirs, mine = source.database.disk.wal, machine.database.disk.wal
        pace = self._cluster.pace
        missing = len(theirs) - len(mine)
        if missing > 0 and not machine.slow:
            most = pace.random.randint(1, MOST_RECORDS)
            mine.extend(theirs[len(mine) : len(mine) + most])
            connection.reply = len(mine)
            source.background.wake(pace.between(0.001, 0.01))
            machine.database_changed()
        return pace.between(0.002, 0.02) if missing > 0 else None

    def _connect(self, machine: Machine, server: Server, upstream: str) -> float:
        """PostgreSQL compares timelines by number only. Here it can be seen whether it was right.

        It connects by itself, again and again, also when the upstream has been rebuilt meanwhile, and without
        anyone looking at histories first. It fetches what history files there are, then it asks for its slot.
        """
        source = self._cluster.machines[upstream]
        sender = source.database.server
        if sender is None or sender.stopping or not self._cluster.linked(machine, source):
            return RETRY_S
        disk, theirs = machine.database.disk, source.database
        disk.known_timeline = max(disk.known_timeline, theirs.disk.known_timeline)
        if server.slot not in theirs.disk.slots:
            return RETRY_S
        position = machine.database.position
        if position.lsn > theirs.position.lsn or not shares_history(
            position, theirs.position.timeline, theirs.forks
        ):
            return RETRY_S
        self._cluster.invariants.streams(machine.name, upstream, common_length(disk.wal, theirs.disk.wal))
        now_s, end = self._cluster.schedule.now_s, len(disk.wal)
        server.receiver = Connection(
            sender, machine.name, server.slot, sender.setting, reply=end, heard_s=now_s
        )
        earlier = sender.senders.get(machine.name)
        if earlier is not None:
            earlier.closed = True
        sender.senders[machine.name] = server.receiver
        source.background.wake(0.002)
        return 0.002


def _acknowledged_up_to(server: Server, evaluator: Connection) -> int:
    """How far the quorum is, as the walsender that has just heard from its standby sees it.

    Whether a standby counts is decided by its own walsender's setting, how many are needed by that of the
    walsender that looks (``syncrep.c``).
    """
    setting = evaluator.setting
    if evaluator.standby not in setting.members:
        return 0
    flushed = sorted(
        (other.flushed for other in server.senders.values() if other.standby in other.setting.members),
        reverse=True,
    )
    return flushed[setting.k - 1] if 0 < setting.k <= len(flushed) else 0
