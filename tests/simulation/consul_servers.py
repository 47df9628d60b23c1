"""Consul's servers: one state with indexes, a lease held by a session, and checks that end sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.model.files import FilesRecord, FilesReport
from orchestrator.model.minority import Claim
from orchestrator.model.snapshot import (
    Announcement,
    ClusterView,
    Forced,
    Lease,
    Member,
    NodeStatus,
    Report,
    Switchover,
    SyncRecord,
)

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster

SERF_S = 0.7
"""A dead machine is noticed by gossip after so long."""

LOOK_S = (0.1, 0.3)


@dataclass
class Checks:
    """What Consul knows of one node's checks: when each was passed last."""

    passed_s: dict[str, float] = field(default_factory=dict)
    unseen_since_s: float | None = None


class SimConsul:
    """The state that the servers agree on."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self.index = 10
        self.lease = Lease(None, None, 0, 0)
        self.record: SyncRecord | None = None
        self.announcement: Announcement | None = None
        self.switchover: Switchover | None = None
        self.paused = False
        self.forced: Forced | None = None
        self.files: FilesRecord | None = None
        self.file_reports: dict[str, FilesReport] = {}
        self.members: dict[str, Member] = {}
        self.removed: frozenset[str] = frozenset()
        self.reports: dict[str, Report] = {}
        self.suspicions: dict[str, int] = {}
        self.claims: dict[str, Claim] = {}
        self.statuses: dict[str, NodeStatus] = {}
        self.sessions: dict[str, str] = {}
        self.checks: dict[str, Checks] = {}
        self.when_changed: Callable[[], None] = lambda: None
        self._view: ClusterView | None = None
        self.late_for_s: dict[str, float] = {}
        self.gone = False

    def touch(self, *, wakes: bool = True) -> int:
        """Something was written: the index grows, and whoever watches is woken."""
        self.index += 1
        self._view = None
        if wakes:
            self.when_changed()
        return self.index

    def view(self) -> ClusterView:
        """Everything, at one moment."""
        if self._view is None:
            self._view = ClusterView(
                lease=self.lease,
                record=self.record,
                announcement=self.announcement,
                members=dict(self.members),
                removed=self.removed,
                reports=dict(self.reports),
                suspicions=dict(self.suspicions),
                claims=dict(self.claims),
                statuses=dict(self.statuses),
                switchover=self.switchover,
                paused=self.paused,
                forced=self.forced,
                files=self.files,
                file_reports=dict(self.file_reports),
            )
            self._cluster.earlier_views.append(self._view)
        return self._view

    def acquire(self, session: str) -> bool:
        """Lock the lease's key; whether the session holds it now."""
        if session not in self.sessions:
            return False
        if self.lease.session is not None:
            return self.lease.session == session
        node = self.sessions[session]
        self.lease = Lease(node, session, self.lease.term + 1, self.touch())
        self._cluster.invariants.acquired(node)
        return True

    def release(self, session: str) -> None:
        """Unlock the lease's key, if this session has it."""
        if self.lease.session == session:
            self.lease = replace(self.lease, holder=None, session=None, modified=self.touch())
            self._view = None

    def end_session(self, session: str, why: str) -> None:
        """The session is over, and the lease free if it held it."""
        node = self.sessions.pop(session, None)
        if node is not None and self.lease.session == session:
            self.release(session)
            self._cluster.tell(node, f"loses the lease of term {self.lease.term}: {why}")

    def step(self) -> float:
        """Look for sessions whose checks fail. A server may learn of it late."""
        pace = self._cluster.pace
        if self._cluster.has_majority():
            for node in self.members:
                self._see(node)
            for session, node in list(self.sessions.items()):
                why = self._reason_to_end(node)
                if why is not None and not pace.happens(0.3):
                    self.end_session(session, why)
        return pace.between(*LOOK_S)

    def _see(self, node: str) -> None:
        checks = self.checks.setdefault(node, Checks())
        if self._cluster.machines[node].consul_up:
            checks.unseen_since_s = None
        elif checks.unseen_since_s is None:
            checks.unseen_since_s = self._cluster.schedule.now_s

    def _reason_to_end(self, node: str) -> str | None:
        now_s = self._cluster.schedule.now_s
        if now_s < self.late_for_s.get(node, 0.0):
            return None
        checks, machine = self.checks[node], self._cluster.machines[node]
        if checks.unseen_since_s is not None:
            return "its machine is gone" if now_s - checks.unseen_since_s > SERF_S else None
        if not machine.guard_listens:
            return "its guard refuses connections"
        if now_s - checks.passed_s.get("heartbeat", -1e9) > self._cluster.ttl_s:
            return "its heartbeat is over"
        return None

    def health(self) -> dict[str, frozenset[str]]:
        """The names of each member's passing checks; nothing passes on a machine that is gone."""
        return {node: self._passing(node) for node in self.members}

    def _passing(self, node: str) -> frozenset[str]:
        checks, now_s = self.checks.setdefault(node, Checks()), self._cluster.schedule.now_s
        if checks.unseen_since_s is not None and now_s - checks.unseen_since_s > SERF_S:
            return frozenset()
        fresh = {name for name, at_s in checks.passed_s.items() if now_s - at_s <= self._cluster.ttl_s}
        return frozenset(
            fresh | {"consul"} | ({"guard"} if self._cluster.machines[node].guard_listens else set())
        )
