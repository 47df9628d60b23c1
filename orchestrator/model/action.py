"""What a node can do about what it sees. An action is plain data; ``act.perform`` carries it out.

The ``summary`` of an action is the one sentence that says what it does: in the log, in the history,
in ``cfy cluster plan`` and in the generated playbook.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from orchestrator.model.file_actions import BESIDE, FileAction
from orchestrator.model.lsn import Fork, Terms
from orchestrator.model.minority_actions import GiveWay, MinorityAction
from orchestrator.model.snapshot import SyncRecord, SyncSetting


@dataclass(frozen=True, slots=True)
class Fence:
    """Make the local database unable to acknowledge anything."""

    summary: ClassVar[str] = "Stop the local database at once, because this node may not write."
    reason: str


@dataclass(frozen=True, slots=True)
class Revive:
    """Bring a stopped database back where it can do no harm."""

    summary: ClassVar[str] = "Start the stopped database as a detached standby, so that it can report."


@dataclass(frozen=True, slots=True)
class Detach:
    """Promise, on disk, to acknowledge nothing more from the old leader."""

    summary: ClassVar[str] = "Stop streaming from the old leader, and promise not to go back to it."
    round: int


@dataclass(frozen=True, slots=True)
class ReportPosition:
    """Tell the others how far this node's database is, now that it cannot move any more."""

    summary: ClassVar[str] = "Report the final position of the detached database for this round."
    round: int
    eligible: bool
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class AcquireLease:
    """Try to become the leader; Consul lets one win. ``free_for_s`` and ``cause``: for the history only."""

    summary: ClassVar[str] = "Take the lease, because this node is the next master."
    round: int
    free_for_s: float = 0.0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class EndSession:
    """End a session that holds the lease and should not."""

    summary: ClassVar[str] = "End the session that holds the lease."
    session: str
    term: int
    reason: str


@dataclass(frozen=True, slots=True)
class StepDown:
    """Give the lease up, because somebody else can do better."""

    summary: ClassVar[str] = "Release the lease, because this node is not well and another one is."
    term: int
    reason: str


@dataclass(frozen=True, slots=True)
class PreparePromotion:
    """Do to a standby, beforehand, what its promotion needs; to a standby it makes no difference."""

    summary: ClassVar[str] = "Prepare the database for its promotion while the old leader still serves."
    term: int
    setting: SyncSetting


@dataclass(frozen=True, slots=True)
class Promote:
    """Make the local database the primary; it waits for ``setting`` from its first commit on."""

    summary: ClassVar[str] = "Fence the old leader by force if it can be reached, then promote the database."
    term: int
    setting: SyncSetting
    old_leader: str | None = None


@dataclass(frozen=True, slots=True)
class StartPrimary:
    """Start a stopped database as the primary that it was, on its own timeline.

    ``term``: the term in which it is the leader's; None on a manager that belongs to no cluster.
    """

    summary: ClassVar[str] = "Start the database again as the primary that it was."
    term: int | None


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the others where and on what history to follow."""

    summary: ClassVar[str] = "Announce this node as the leader of the term."
    term: int


@dataclass(frozen=True, slots=True)
class FirstRecord:
    """A new leader's own sync record, with those of ``members`` that are the first to have everything.

    ``all_of_them``: PostgreSQL waits for one of just these ``members`` already. When one of them has
    everything, that is true of the past as well, so all of them are put on record.
    """

    summary: ClassVar[str] = "Wait until a replica has all that is here, then write the first sync record."
    term: int
    members: frozenset[str]
    all_of_them: bool = False


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Change the sync record at once: additions, and a lower ``k``. ``before``: what it was changed from."""

    summary: ClassVar[str] = "Write the sync record before PostgreSQL is changed."
    record: SyncRecord
    before: SyncRecord


@dataclass(frozen=True, slots=True)
class ConfirmRecord:
    """Change the sync record to something stronger, once it is true."""

    summary: ClassVar[str] = (
        "Wait until every member has all that was acknowledged, then write the sync record."
    )
    record: SyncRecord


@dataclass(frozen=True, slots=True)
class SetStandbys:
    """Change whom PostgreSQL waits for, to something that implies ``record``."""

    summary: ClassVar[str] = "Set the standbys that PostgreSQL waits for."
    term: int
    setting: SyncSetting
    record: SyncRecord


@dataclass(frozen=True, slots=True)
class OpenWrites:
    """Let the database accept writes."""

    summary: ClassVar[str] = (
        "Let the database accept writes: the term is announced and the sync record is true."
    )
    term: int


@dataclass(frozen=True, slots=True)
class KeepSlots:
    """Have exactly one replication slot for each of ``nodes``."""

    summary: ClassVar[str] = "Keep one replication slot for each replica, and no other."
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class StartServices:
    """Start services that should run here."""

    summary: ClassVar[str] = "Start the services that should run here."
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class StopServices:
    """Stop services that only the leader runs."""

    summary: ClassVar[str] = "Stop the services that run on the leader only."
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Follow:
    """Make the local database a standby of the announced leader, whatever it was before.

    ``seen_at`` is the ModifyIndex of the lease on which this was decided; what else it names was announced.
    """

    summary: ClassVar[str] = "Follow the announced leader: stream from it, rewound or rebuilt if need be."
    leader: str
    host_ip: str
    port: int
    term: int
    seen_at: int
    timeline: int
    forks: tuple[Fork, ...] = ()
    terms: Terms = ()
    incarnation: str = ""
    healed: bool = False


@dataclass(frozen=True, slots=True)
class ResumeWorkflows:
    """What an earlier leader was running goes on, or fails at once."""

    summary: ClassVar[str] = "Take up the executions that were interrupted: they go on, or fail at once."
    term: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """The leader's part of a switchover. What can be done while writes go on is done before they stop."""

    summary: ClassVar[str] = (
        "Hand over: take no more writes, let the target catch up, stop, release the lease."
    )
    term: int
    target: str


@dataclass(frozen=True, slots=True)
class EndSwitchover:
    """Forget a switchover that is done, refused or too late."""

    summary: ClassVar[str] = "End the switchover."
    term: int
    reason: str


@dataclass(frozen=True, slots=True)
class StopEverything:
    """A removed node does nothing any more."""

    summary: ClassVar[str] = (
        "Stop the database and the leader's services: this node was removed from the cluster."
    )


Action = (
    Fence
    | Revive
    | Detach
    | ReportPosition
    | AcquireLease
    | EndSession
    | StepDown
    | PreparePromotion
    | Promote
    | StartPrimary
    | Announce
    | FirstRecord
    | WriteRecord
    | ConfirmRecord
    | SetStandbys
    | OpenWrites
    | KeepSlots
    | StartServices
    | StopServices
    | ResumeWorkflows
    | Follow
    | HandOver
    | EndSwitchover
    | StopEverything
    | FileAction
    | MinorityAction
)

LEAVING_OFFICE = (StepDown, HandOver, GiveWay)
"""After one of these the node leads no more, so nothing that a leader does may follow it in a plan."""


@dataclass(frozen=True, slots=True)
class Done:
    """The action changed something; ``detail`` says what."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """There was nothing to do, and why."""

    why: str


Outcome = Done | AlreadyDone


@dataclass(frozen=True, slots=True)
class Plan:
    """What a node does now: the actions of one situation, in order; each waits for the one before.

    ``serves``: its REST service may act as the leader. ``minority``: how it acts without the majority.
    """

    situation: str
    actions: tuple[Action, ...] = ()
    serves: bool = False
    minority: str = ""

    def parts(self) -> tuple[Plan, ...]:
        """What is carried out in order, and what beside that; only parts with something to do."""
        beside = tuple(action for action in self.actions if isinstance(action, BESIDE))
        chain = tuple(action for action in self.actions if not isinstance(action, BESIDE))
        # One of those beside is enough: it is looked again when that is done.
        return tuple(replace(self, actions=actions) for actions in (chain, beside[:1]) if actions)

    @property
    def is_beside(self) -> bool:
        """Whether this is the part that is carried out beside all others."""
        return all(isinstance(action, BESIDE) for action in self.actions)
