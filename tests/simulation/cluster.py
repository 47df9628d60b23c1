"""The simulated world: machines, the network between them, Consul, and clients that write when they can."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestrator.config import Timing
from orchestrator.model.action import Action, AlreadyDone, Outcome
from orchestrator.model.snapshot import ClusterView, SyncRecord
from orchestrator.model.spec import Options, Spec
from tests.simulation.consul_servers import Checks, SimConsul
from tests.simulation.database import Connection, Disk
from tests.simulation.invariants import Invariants
from tests.simulation.machine import Machine
from tests.simulation.replication import Replication
from tests.simulation.schedule import Actor, Pace, Schedule
from tests.simulation.wal import Record

if TYPE_CHECKING:
    from tests.simulation.faults import Faults

SILENCE_S = 2.5
"""After so long without a word, PostgreSQL gives up on a connection."""

TIMING = Timing(
    alone_after_s=4.0,
    minority_after_s=6.0,
    claim_timeout_s=4.0,
    drop_after_s=2.0,
    switchover_timeout_s=4.0,
    step_down_hold_s=4.0,
    service_grace_s=2.0,
    receiver_grace_s=1.5,
    catch_up_timeout_s=2.0,
    detach_timeout_s=2.0,
    fence_timeout_s=0.5,
)
"""The product's own times to live; its patience shortened, so that more happens in fewer steps."""


SAFE = Options(minority_mode="offline")
"""Whoever acts without the majority gives up what most histories are about."""


class SimCluster:
    """``lost_calls`` and ``stale_reads``: the chances that a call to Consul goes wrong in this way.

    ``laziness``: the chance that a process of PostgreSQL does not read a new setting yet.
    ``written_to``: the only machine that clients write to; None: to any.
    ``with_files``: files are uploaded and replicated. ``rows``: the unit that a record's row names.
    ``generations``: for which upload a generation was written.
    """

    def __init__(
        self, size: int, seed: int | None, *, with_files: bool = False, options: Options = SAFE
    ) -> None:
        self.schedule = Schedule()
        self.schedule.now_s = 100.0
        self.pace = Pace(seed)
        self.timing = TIMING
        self.ttl_s = TIMING.heartbeat_ttl_s
        self.lost_calls = self.stale_reads = self.laziness = 0.0
        self.with_files = with_files
        self.options = options
        self.written_to: str | None = None
        self.rows: dict[int, str] = {}
        self.generations: dict[int, str] = {}
        self.story: deque[tuple[float, str, object]] = deque(maxlen=400)
        self.earlier_views: deque[ClusterView] = deque(maxlen=12)
        self.machines: dict[str, Machine] = {}
        self.consul = SimConsul(self)
        self.invariants = Invariants(self)
        self.replication = Replication(self)
        self.faults: Faults | None = None
        self._numbers = 0
        self._servers = Actor(self.schedule, self.consul.step)
        self._writers = Actor(self.schedule, self._write)
        self.consul.when_changed = self._wake_all
        self._form(size)

    def _form(self, size: int) -> None:
        """As ``cfy cluster start`` leaves it: one member with data, alone on record.

        The others are members with nothing yet.
        """
        for number in range(1, size + 1):
            self.add_machine(f"n{number}")
        first = self.machines["n1"]
        first.database.disk.broken = False
        first.database.start(standby=False)
        self.consul.record = SyncRecord(0, "n1", 0, frozenset())
        self._servers.wake(0.2)
        self._writers.wake(1.0)

    def add_machine(self, name: str) -> Machine:
        """A new, empty machine joins."""
        machine = self.machines[name] = Machine(self, name, Disk([Record(1, 0)], broken=True))
        self.consul.members[name] = machine.member
        self.consul.checks[name] = Checks()
        self.consul.touch()
        machine.boot()
        return machine

    def remove_member(self, name: str) -> None:
        """As ``remove_member`` of the Consul client does it."""
        self.consul.removed |= {name}
        for kind in (
            self.consul.members,
            self.consul.reports,
            self.consul.suspicions,
            self.consul.statuses,
            self.consul.file_reports,
        ):
            kind.pop(name, None)
        self.consul.touch()

    def spec_of(self, name: str) -> Spec:
        """What a node of this world decides by."""
        timing = self.timing
        return Spec(
            me=name,
            alone_after_s=timing.alone_after_s,
            drop_after_s=timing.drop_after_s,
            switchover_timeout_s=timing.switchover_timeout_s,
            step_down_hold_s=timing.step_down_hold_s,
            service_grace_s=timing.service_grace_s,
            receiver_grace_s=timing.receiver_grace_s,
            minority_after_s=timing.minority_after_s,
            claim_timeout_s=timing.claim_timeout_s,
            options=self.options,
            files_compare_s=6.0,
            files_check_s=30.0,
            files_sweep_s=3.0,
            files_retry_s=0.5,
        )

    # What the machines find.

    def linked(self, one: Machine, other: Machine) -> bool:
        """Whether messages pass between two machines."""
        return one.up and other.up and not (one.cut or other.cut) and not (one.frozen or other.frozen)

    def has_majority(self) -> bool:
        """Whether Consul's servers have a leader."""
        if self.consul.gone:
            return False
        up = sum(self.machines[name].consul_up for name in self.consul.members)
        return up > len(self.consul.members) // 2

    def consul_answers(self, machine: Machine) -> bool:
        """Whether this machine reaches a majority."""
        return machine.consul_up and self.has_majority()

    def is_silent_for_long(self, connection: Connection) -> bool:
        return self.schedule.now_s - connection.heard_s > SILENCE_S

    def next_number(self) -> int:
        """A number for a record that no other record has."""
        self._numbers += 1
        return self._numbers

    def _wake_all(self) -> None:
        for machine in self.machines.values():
            if machine.ticker.alive and machine.consul_up:
                machine.ticker.actor.wake(self.pace.between(0.01, 0.1))

    # Clients.

    def _write(self) -> float:
        """Somebody begins or ends a transaction, on any primary that lets them, leader or not."""
        primaries = [
            machine
            for machine in self.machines.values()
            if machine.database.is_primary
            and not machine.database.frozen
            and self.written_to in (None, machine.name)
        ]
        if primaries:
            machine = self.pace.random.choice(primaries)
            server = machine.database.need()
            if server.transactions:
                self.replication.commit(machine)
            elif not server.read_only and not server.stopping:
                server.transactions += 1
        return self.pace.between(0.03, 0.2)

    def acknowledge(self, machine: Machine, index: int) -> None:
        """A client is told that its write is safe."""
        self.invariants.acknowledged(machine, index)

    # What is told.

    def tell(self, who: str, what: object) -> None:
        self.story.append((self.schedule.now_s, who, what))

    def acts(self, who: str, situation: str, action: Action) -> None:
        self.tell(who, (situation, action))

    def did(self, who: str, action: Action, outcome: Outcome) -> None:
        if not isinstance(outcome, AlreadyDone):
            self.tell(who, (type(action).__name__, outcome))

    def did_not(self, who: str, action: Action, error: Exception) -> None:
        self.tell(who, (type(action).__name__, error))
