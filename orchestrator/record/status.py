"""What the tick leaves behind: the lease file for this machine, checks and status for the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from orchestrator.clients import Clients
from orchestrator.model.action import Plan
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.snapshot import SESSION_CHECKS, ClusterView, MembershipState, NodeStatus, Snapshot
from orchestrator.record import outbox
from orchestrator.record.lease_file import LeaseState

log = logging.getLogger(__name__)

ELECTION_PATIENCE_S = 10.0
"""A node cut off for longer than this does not hold requests any more: no election takes so long."""

STATUS_AT_LEAST_EVERY_S = 5.0
NOT_MORE_OFTEN_THAN_S = 0.8
"""During an election there are many ticks in a second, and the machine has better things to do."""

FIRST_THINGS_FIRST_S = 1.0
"""For so long doing goes before telling of it: in an election every millisecond is a wait for somebody."""


def lease_state(snapshot: Snapshot, plan: Plan) -> LeaseState:
    """What the guard and the REST service of this machine must know of ``snapshot``."""
    view = snapshot.cluster
    if snapshot.membership is MembershipState.REMOVED or (view and snapshot.me in view.removed):
        return LeaseState(member=True, removed=True)
    if snapshot.membership is not MembershipState.MEMBER:
        return LeaseState()
    position = snapshot.database.position
    return LeaseState(
        member=True,
        term=view.lease.term if view else snapshot.known_term,
        held=snapshot.holds_lease,
        valid_until_s=snapshot.valid_until_s,
        confirmed_until_s=snapshot.confirmed_until_s,
        serving=plan.serves,
        settled=plan.serves or _settled(snapshot),
        leader=_leader(snapshot),
        minority=plan.minority,
        cut_off=view is None,
        led=snapshot.known_leader == snapshot.me,
        place=(position.term, position.timeline, position.lsn.value) if position else (0, 0, 0),
    )


def _leader(snapshot: Snapshot) -> str | None:
    return snapshot.cluster.lease.holder if snapshot.cluster else snapshot.known_leader


def _settled(snapshot: Snapshot) -> bool:
    view = snapshot.cluster
    if view is None:
        return snapshot.cut_off_s > ELECTION_PATIENCE_S
    if view.lease.free or snapshot.holds_lease:
        return view.paused
    return view.announcement is not None and view.announcement.term == view.lease.term


@dataclass(slots=True)
class Reporter:
    """Tells the others how this node is. It remembers what it said last, so as not to repeat itself."""

    clients: Clients
    version: str
    fail_fast: bool
    _said: NodeStatus | None = field(default=None)
    _said_at_s: float = field(default=0.0)
    _verdict: tuple[bool, bool] | None = field(default=None)
    _verdict_at_s: float = field(default=0.0)
    _unknown: frozenset[str] = field(default=frozenset())
    _idle_at_s: float = field(default=0.0)

    def report(self, snapshot: Snapshot, plan: Plan) -> None:
        """Refresh the checks, and the status when there is news."""
        if snapshot.cluster is None:
            return
        try:
            self._checks(snapshot)
            self._mend_what_servers_know(snapshot.me, snapshot.cluster)
            if not self._is_in_a_hurry(snapshot, plan):
                self._status(snapshot, plan)
                outbox.deliver(self.clients.config.paths.outbox_file, self.clients.consul.append_history)
        except ConsulUnavailable as error:
            log.warning("Not reported: %s", error)

    def _is_in_a_hurry(self, snapshot: Snapshot, plan: Plan) -> bool:
        if not plan.actions:
            self._idle_at_s = snapshot.taken_at_s
        return snapshot.taken_at_s - self._idle_at_s < FIRST_THINGS_FIRST_S and bool(plan.actions)

    def _checks(self, snapshot: Snapshot) -> None:
        verdict = (snapshot.database_failing_s == 0, snapshot.services_failing_s == 0)
        if verdict == self._verdict and snapshot.taken_at_s - self._verdict_at_s < NOT_MORE_OFTEN_THAN_S:
            return
        self._check("database", snapshot.database_failing_s)
        self._check("services", snapshot.services_failing_s)
        self._verdict, self._verdict_at_s = verdict, snapshot.taken_at_s

    def _check(self, name: str, failing_s: float) -> None:
        """A failing check fails at once, or, without ``fail_fast``, when its time to live is over."""
        if failing_s == 0:
            self.clients.consul.pass_check(name)
        elif self.fail_fast:
            self.clients.consul.fail_check(name, "see the cluster log of the node")

    def _mend_what_servers_know(self, me: str, view: ClusterView) -> None:
        """News takes a moment: only what the servers did not know at the last look either is told again."""
        known = view.health.get(me, frozenset())
        unknown = SESSION_CHECKS - known if known else frozenset()
        if lost := unknown & self._unknown:
            log.info("Consul's servers see these checks fail: %s", ", ".join(sorted(lost)))
            self.clients.consul.tell_servers_again(lost)
        self._unknown = unknown

    def _status(self, snapshot: Snapshot, plan: Plan) -> None:
        status = NodeStatus(
            node=snapshot.me,
            situation=plan.situation,
            role=snapshot.database.role,
            position=snapshot.database.position,
            upstream=snapshot.database.upstream,
            plan=tuple(action.summary for action in plan.actions),
            version=self.version,
        )
        is_news = self._said is None or replace(status, position=None) != replace(self._said, position=None)
        quiet_s = snapshot.taken_at_s - self._said_at_s
        if quiet_s >= STATUS_AT_LEAST_EVERY_S or (is_news and quiet_s >= NOT_MORE_OFTEN_THAN_S):
            self.clients.consul.put_status(status)
            self._said, self._said_at_s = status, snapshot.taken_at_s
