"""One immutable picture of the cluster, as one node sees it at one moment. ``decide`` knows nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.model.files import FilesRecord, FilesReport, FilesState
from orchestrator.model.lsn import Fork, Lsn, Position, Terms
from orchestrator.model.minority import Claim, Company, Minority

SESSION_CHECKS = frozenset({"consul", "heartbeat", "guard"})
"""Consul gives no session, and so no lease, to a node that it sees fail one of these."""


class Role(StrEnum):
    """What the local PostgreSQL is."""

    PRIMARY = "primary"
    STANDBY = "standby"
    STOPPED = "stopped"
    UNREACHABLE = "unreachable"  # a postmaster runs but does not answer


@dataclass(frozen=True, slots=True)
class Lease:
    """The key ``cluster/leader`` in Consul.

    ``term`` is its LockIndex, ``modified`` its ModifyIndex. A free lease names a round: its ``modified``.
    """

    holder: str | None
    session: str | None
    term: int
    modified: int

    @property
    def free(self) -> bool:
        """Whether no session holds the lease."""
        return self.session is None

    def held_by(self, session: str | None) -> bool:
        """Whether ``session`` holds the lease; no session holds nothing."""
        return session is not None and self.session == session


@dataclass(frozen=True, slots=True)
class SyncSetting:
    """What ``synchronous_standby_names`` says: ``ANY k (members)``; ``k`` = 0 waits for nobody."""

    k: int = 0
    members: frozenset[str] = frozenset()

    def implies(self, record: SyncRecord) -> bool:
        """Whether commits acknowledged under this setting satisfy what ``record`` claims.

        Of ``k`` standbys chosen freely from the setting, those outside the record may be all strangers. A
        record with ``k`` = 0 claims nothing, so every setting satisfies it.
        """
        if record.mode == "async" or record.k == 0:
            return True
        return self.k - len(self.members - record.members) >= record.k


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """Every commit acknowledged in quorum mode is on ``leader`` and on at least ``k`` of ``members``."""

    term: int
    leader: str
    k: int
    members: frozenset[str]
    mode: str = "quorum"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A leader of ``term`` says that it is promoted, and where and on what history to follow it.

    ``incarnation``: of which copy of its data that is said. An older member says nothing of it. ``healed``:
    it comes out of minority mode, so that whoever has another history has something to lose.
    """

    term: int
    leader: str
    host_ip: str
    port: int
    timeline: int
    forks: tuple[Fork, ...] = ()
    terms: Terms = ()
    incarnation: str = ""
    healed: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a detached node says of itself in a round.

    ``primary``: it is still the primary that it was; it may simply take the lease back.
    ``eligible``: its checks pass, and it has not just stepped down. ``updated_at``: what was written there
    alone, in minority mode, was written last then; its ``position`` is where it parted from the others.
    """

    node: str
    round: int
    position: Position
    primary: bool
    eligible: bool
    priority: int = 0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Member:
    """A node that belongs to the cluster, as registered in Consul."""

    name: str
    host_ip: str
    public_ip: str | None = None
    version: str = ""
    priority: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    ssh_host_key: str = ""
    ssh_client_key: str = ""


@dataclass(frozen=True, slots=True)
class Switchover:
    """A wish, asked for in ``term``: ``target`` shall lead.

    ``released_at`` is the old leader's final position, once its database has stopped for the target.
    ``heals``: the target has another history, which was written to last.
    """

    term: int
    target: str
    released_at: Position | None = None
    heals: bool = False


@dataclass(frozen=True, slots=True)
class Forced:
    """An operator's word: in ``round``, ``node`` may lead without what only the old leader has."""

    round: int
    node: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a node says of itself on every tick; for people and for tables, not for safety."""

    node: str
    situation: str = ""
    role: Role = Role.STOPPED
    position: Position | None = None
    upstream: str | None = None
    plan: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What a consistent read of Consul showed.

    ``lease_seen_s``: for how long this node has seen the lease in its present state.
    ``health``: per node the names of its passing checks (``database services consul heartbeat``).
    ``suspicions``: per node the term whose leader it cannot reach.
    """

    lease: Lease
    lease_seen_s: float = 0.0
    record: SyncRecord | None = None
    announcement: Announcement | None = None
    members: Mapping[str, Member] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    reports: Mapping[str, Report] = field(default_factory=dict)
    suspicions: Mapping[str, int] = field(default_factory=dict)
    health: Mapping[str, frozenset[str]] = field(default_factory=dict)
    statuses: Mapping[str, NodeStatus] = field(default_factory=dict)
    switchover: Switchover | None = None
    paused: bool = False
    forced: Forced | None = None
    claims: Mapping[str, Claim] = field(default_factory=dict)
    files: FilesRecord | None = None
    file_reports: Mapping[str, FilesReport] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A standby that receives from the local primary (``pg_stat_replication``)."""

    name: str
    streaming: bool
    flushed: Lsn


@dataclass(frozen=True, slots=True)
class Database:
    """The local PostgreSQL.

    ``upstream``: the member that it is configured to stream from; None when detached.
    ``receiving``: a walreceiver is streaming now. ``read_only``: new transactions may not write.
    ``slots``: names of the members that have a replication slot here. ``updated_at``: when the newest
    transaction was committed, in Unix time; 0 when that cannot be told.
    """

    role: Role = Role.STOPPED
    position: Position | None = None
    upstream: str | None = None
    receiving: bool = False
    read_only: bool = False
    setting: SyncSetting = SyncSetting()
    streams: Mapping[str, Stream] = field(default_factory=dict)
    slots: frozenset[str] = frozenset()
    updated_at: float = 0.0


class MembershipState(StrEnum):
    """Where this node stands towards a cluster."""

    ALONE = "alone"
    JOINING = "joining"
    MEMBER = "member"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Promise:
    """What this node has promised, on disk before anyone was told.

    ``round``: the newest round in which it has detached; no observation older than that counts.
    ``stepped_down``: the newest term that it gave up because it was not well.
    """

    round: int = 0
    stepped_down: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """What this node has told the leader of ``term``: it takes no part in a round before ``until_s``."""

    term: int = 0
    until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a decision may depend on. ``taken_at_s`` is on CLOCK_BOOTTIME.

    ``cluster`` is None when no consistent read succeeded: then nothing is known, and unknown means
    not leader, unless the members confirm this one (until ``confirmed_until_s``). ``known_term`` and
    ``known_leader``: what the newest such read showed. ``session`` is this node's own session.
    ``valid_until_s`` is the end of the newest confirmed renewal. ``resumed_term``: the newest term in which
    this node has taken up the workflows. ``minority``: the mark of having acted alone. ``company``: whom a
    node can reach that has been cut off for long; None when they were not asked. The ``*_s`` mappings and
    numbers say for how long something has been so.
    """

    me: str
    taken_at_s: float
    membership: MembershipState
    cluster: ClusterView | None
    database: Database
    promise: Promise = Promise()
    running: frozenset[str] = frozenset()
    session: str | None = None
    valid_until_s: float = 0.0
    confirmed_until_s: float = 0.0
    known_term: int = 0
    known_leader: str | None = None
    word: Word = Word()
    minority: Minority | None = None
    company: Company | None = None
    claiming_s: float = 0.0
    absent_s: Mapping[str, float] = field(default_factory=dict)
    cut_off_s: float = 0.0
    not_receiving_s: float = 0.0
    services_failing_s: float = 0.0
    database_failing_s: float = 0.0
    files: FilesState = field(default_factory=FilesState)
    resumed_term: int = 0

    @property
    def holds_lease(self) -> bool:
        """Whether the newest consistent read shows this node's own session on the lease."""
        return self.cluster is not None and self.cluster.lease.held_by(self.session)

    @property
    def confirmed(self) -> bool:
        """Whether the members have freshly said that they follow this node, as Consul could not be asked."""
        return self.taken_at_s < self.confirmed_until_s
