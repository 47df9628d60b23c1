"""What must hold after every step, whatever has happened (``safety.md``, "Invariants").

1. At most one node can acknowledge writes at a time, and each term has at most one leader.
2. Every acknowledged write is in the log of the leader of every later term. (The design asks this only for
   writes acknowledged while somebody was on record; it holds for the others too, as nobody takes over then.)
3. Terms only grow: of the lease, of the announcement, of the sync record.
5. A node that was removed never takes the lease.
6. What a node alone had acknowledged, and an operator has given up, is archived before it is replaced.
   So is what was acknowledged in minority mode, and what the majority had that gives way to it. Neither takes
   part in 1 and 2, which minority mode gives up on purpose.
7. While a leader goes on by the word of its members, because Consul is gone, nobody else takes the lease.

And two lemmas that the first two rest on, because they show a mistake earlier:

- The sync record is true: every acknowledged write is on ``k`` of its members.
- A standby streams only what truly continues its own log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.model.snapshot import Announcement, SyncRecord
from tests.simulation.wal import Record

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.machine import Machine


class Violation(AssertionError):
    """An invariant does not hold."""


class Invariants:
    """Watches one cluster. ``broken`` says what went wrong first."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self.broken: str | None = None
        self.writes: list[tuple[int, Record]] = []
        self.uploads: set[str] = set()
        self.unprotected: set[str] = set()
        self._given_up: list[tuple[int, Record]] = []
        self._term = 0
        self._leader_of: dict[int, str] = {}

    def fail(self, what: str) -> None:
        self.broken = self.broken or what

    def check(self) -> None:
        """Raise ``Violation`` when something is wrong."""
        able = self._able()
        if len(able) > 1:
            self.fail(f"two nodes can acknowledge writes: {' and '.join(able)}")
        if self.broken is not None:
            raise Violation(self.broken)

    def _able(self) -> list[str]:
        primaries = [
            machine
            for machine in self._cluster.machines.values()
            if machine.database.is_primary and not machine.acts_alone
        ]
        if len(primaries) < 2:
            return []
        return [machine.name for machine in primaries if self._can_acknowledge(machine)]

    def _can_acknowledge(self, machine: Machine) -> bool:
        """Whether a write that is in its log, or comes now, could be acknowledged as things stand."""
        server = machine.database.need_even_frozen()
        if server.stopping or (server.read_only and not server.transactions and not server.waiting):
            return False
        needed = min((server.in_force, server.setting), key=lambda setting: setting.k)
        attached = sum(
            not connection.closed and connection.standby in connection.setting.members
            for connection in server.senders.values()
        )
        return attached >= needed.k

    def acknowledged(self, machine: Machine, index: int) -> None:
        """A client was told that its write is safe."""
        record = machine.database.disk.wal[index]
        if machine.acts_alone:
            self._given_up.append((index, record))
            return
        self.writes.append((index, record))
        leader = self._leader_of.get(self._term, machine.name)
        if not self._has(leader, index, record):
            self.fail(
                f"{machine.name} acknowledges a write that {leader}, leader of term {self._term}, has not"
            )
        self._record_is_true([(index, record)])
        if record.number in self._cluster.rows:
            self._uploaded(machine, self._cluster.rows[record.number])

    def given_up(self, node: str) -> None:
        """An operator has this node lead, and knows that what it has not is lost (but for an archive)."""
        self._given_up += [write for write in self.writes if not self._has(node, *write)]
        self.writes = [(index, record) for index, record in self.writes if self._has(node, index, record)]

    def archived(self, wal: list[Record]) -> None:
        """A node has put aside all that it has."""
        self._given_up = [(index, record) for index, record in self._given_up if wal[index:][:1] != [record]]

    def replaces(self, node: str, wal: list[Record], other: list[Record]) -> None:
        """A node gives up all that it has, for what another one has."""
        if any(
            wal[index:][:1] == [record] and other[index:][:1] != [record] for index, record in self._given_up
        ):
            self.fail(f"{node} gives up what it alone had acknowledged, and has not archived it")

    def _has(self, name: str, index: int, record: Record) -> bool:
        wal = self._cluster.machines[name].database.disk.wal
        return index < len(wal) and wal[index] == record

    def _record_is_true(self, writes: list[tuple[int, Record]]) -> None:
        sync = self._cluster.consul.record
        if sync is None or sync.k == 0:
            return
        for index, record in writes:
            holders = [name for name in sync.members if self._has(name, index, record)]
            if len(holders) < sync.k:
                self.fail(
                    f"the record of term {sync.term} says {sync.k} of {', '.join(sorted(sync.members))}, "
                    f"but an acknowledged write is on {', '.join(sorted(holders)) or 'none of them'}"
                )
                return

    def acquired(self, node: str) -> None:
        """A node takes the lease."""
        consul = self._cluster.consul
        if node in consul.removed:
            self.fail(f"{node} was removed and takes the lease")
        if consul.lease.term in self._leader_of:
            self.fail(f"term {consul.lease.term} has two leaders")
        for other in self._cluster.machines.values():
            if other.name != node and other.is_confirmed:
                self.fail(f"{node} takes the lease while {other.name} leads by the word of its members")
        self._cluster.tell(node, f"takes the lease: term {consul.lease.term}")

    def announced(self, announcement: Announcement) -> None:
        """A leader says that it leads: it must have everything that was ever acknowledged."""
        term, leader = announcement.term, announcement.leader
        if term < self._term:
            self.fail(f"term {term} is announced after term {self._term}")
        self._term = term
        if self._leader_of.setdefault(term, leader) != leader:
            self.fail(f"term {term} has two leaders: {self._leader_of[term]} and {leader}")
        lost = [index for index, record in self.writes if not self._has(leader, index, record)]
        if lost:
            self.fail(f"{leader} leads term {term} without {len(lost)} of the acknowledged writes")

    def recorded(self, record: SyncRecord) -> None:
        """A leader writes the sync record."""
        if record.term < self._term:
            self.fail(f"a sync record of term {record.term} is written in term {self._term}")
        self._cluster.tell(record.leader, f"is on record with {record.k} of {sorted(record.members)}")
        self._record_is_true(self.writes)

    # Files. (An acknowledged upload is never deleted in this world, so its unit may never go either.)

    def is_unprotected(self, _: str, generation: int) -> None:
        """No replica was well, and the upload that asks is acknowledged all the same; that was logged."""
        self.unprotected.add(self._cluster.generations[generation])

    def _uploaded(self, machine: Machine, unit: str) -> None:
        """An upload is acknowledged: its unit outlives this machine."""
        self.uploads.add(unit)
        holders = self._holders(unit)
        if machine.name not in holders:
            self.fail(f"{machine.name} acknowledges {unit}, and does not have it")
        if unit not in self.unprotected and len(holders) < 2:
            self.fail(f"{machine.name} acknowledges {unit}, which no other machine has")

    def _holders(self, unit: str) -> list[str]:
        return [name for name, machine in self._cluster.machines.items() if unit in machine.units]

    def unit_removed(self, machine: Machine, unit: str) -> None:
        """A unit was taken out of a machine's tree."""
        if unit in self.uploads:
            self.fail(f"{machine.name} removes {unit}, whose upload was acknowledged")

    def files_complete(self, machine: Machine) -> None:
        """A leader says that it has everything: from now on others delete what it does not have."""
        lacking = self.uploads - machine.units
        if lacking:
            self.fail(f"{machine.name} calls its files complete without {', '.join(sorted(lacking))}")

    def streams(self, standby: str, upstream: str, common: int) -> None:
        """A standby begins to stream, as far as PostgreSQL can tell on its own history."""
        if common < len(self._cluster.machines[standby].database.disk.wal):
            self.fail(f"{standby} streams from {upstream}, but their histories parted at {common}")

    def rewound(self, node: str, source: str, believed: int, true: int) -> None:
        """pg_rewind has mended the difference behind the point where it believes that histories parted."""
        if believed > true:
            self.fail(f"{node} was rewound to {believed} of {source}, but their histories parted at {true}")

    def log_replaced(self, node: str) -> None:
        """A node's database is another one now."""
        self._record_is_true(self.writes)
