"""Who should lead: the next master function, and the rules around the lease.

Everything here follows ``safety.md``: reports of a round are counted, the best reporter is named, and
only the node that is named by its own snapshot tries to take the lease.
"""

from __future__ import annotations

from orchestrator.decide.force import forced_leader, must_wait
from orchestrator.decide.situation import announced, led_last, view_of
from orchestrator.model.action import (
    AcquireLease,
    Announce,
    Detach,
    EndSession,
    EndSwitchover,
    Fence,
    HandOver,
    ReportPosition,
    StepDown,
)
from orchestrator.model.lsn import Position
from orchestrator.model.snapshot import SESSION_CHECKS, ClusterView, Report, Role, Snapshot, SyncRecord
from orchestrator.model.spec import Spec

CANDIDATE_CHECKS = frozenset({"database", "services", "consul", "heartbeat"})


def majority_of(count: int) -> int:
    """The smallest number that is more than half of ``count``."""
    return count // 2 + 1


def reports_of_round(view: ClusterView) -> tuple[Report, ...]:
    """The reports that count now: of the present round, by present members."""
    return tuple(
        report
        for report in view.reports.values()
        if report.round == view.lease.modified and report.node in view.members
    )


def floor_of(record: SyncRecord, reports: tuple[Report, ...], members: int) -> Position | None:
    """The position at or beyond which every acknowledged commit is present; None: not known yet.

    With ``m`` members and ``k`` in the record, ``m - k + 1`` reporters among them must hold each
    acknowledged commit at least once, and fewer than ``k`` are left that could acknowledge another.
    The old leader has all that it acknowledged, so its own report is enough, once its database is no
    primary any more and can acknowledge nothing else. In asynchronous mode a majority of the members is
    asked for, and the newest of them is taken.
    """
    from_members = [report.position for report in reports if report.node in record.members]
    if record.mode == "async":
        enough = len(reports) >= majority_of(members)
        from_members = [report.position for report in reports]
    else:
        enough = record.k > 0 and len(from_members) >= len(record.members) - record.k + 1
    if enough:
        return max(from_members)
    own = _of(record.leader, reports)
    return None if own is None or own.primary else own.position


def _of(node: str, reports: tuple[Report, ...]) -> Report | None:
    return next((report for report in reports if report.node == node), None)


def next_master(view: ClusterView) -> Report | None:
    """The node that should take the free lease, or None while nobody may.

    Every node computes the same answer from the same state: the newest timeline, then the highest
    LSN, then the node that is still the primary (no failover at all), then priority, then the name.
    """
    reports = reports_of_round(view)
    if view.record is None:
        return None
    floor = floor_of(view.record, reports, len(view.members))
    if floor is None:
        # The old leader itself may go on. Nobody else may: it is still the primary, and may acknowledge more.
        # While it is not there at all, an operator may decide to do without what it has.
        chosen = _of(view.record.leader, reports) or forced_leader(view, reports)
        return chosen if chosen is not None and _is_candidate(chosen, view) else None
    candidates = [report for report in reports if report.position >= floor and _is_candidate(report, view)]
    return max(
        candidates,
        key=lambda report: (report.position, report.primary, report.priority, report.node),
        default=None,
    )


def _is_candidate(report: Report, view: ClusterView) -> bool:
    """Whether who reported is well, and still there: a node may report, and die before it takes the lease."""
    return report.eligible and "heartbeat" in view.health.get(report.node, frozenset())


def is_eligible(snapshot: Snapshot, spec: Spec) -> bool:
    """Whether this node may be a candidate: it is well, and has not just stepped down.

    A node judges itself by what it sees, not by what Consul says of it, which may be late. But who would get
    no session makes room for another candidate.
    """
    view = view_of(snapshot)
    if not view.health.get(snapshot.me, frozenset()) >= SESSION_CHECKS:
        return False
    well = snapshot.database_failing_s == 0 and snapshot.services_failing_s == 0
    held_back = snapshot.promise.stepped_down == view.lease.term and view.lease_seen_s < spec.step_down_hold_s
    return well and not held_back and snapshot.database.role in (Role.PRIMARY, Role.STANDBY)


# Rules: (snapshot, spec) -> Action | None. Each is tried only in the situations where PLAYBOOK names it.


def fence_when_cut_off(snapshot: Snapshot, spec: Spec) -> Fence | None:
    """A node that has not seen the majority for the life of its lease must not acknowledge anything."""
    if snapshot.database.role is Role.PRIMARY and snapshot.taken_at_s >= snapshot.valid_until_s:
        return Fence("no majority in sight, and the lease could not be renewed")
    return None


def fence_stray_primary(snapshot: Snapshot, spec: Spec) -> Fence | None:
    """Somebody else leads, so a primary here is a remnant of an earlier term."""
    if snapshot.database.role is Role.PRIMARY:
        return Fence("another node holds the lease")
    return None


def fence_remnant(snapshot: Snapshot, spec: Spec) -> Fence | None:
    """Somebody else has led since this primary did, and may have left a newer history: it must begin anew.

    Only the very last leader can simply take its lease back. Any other one is stopped, comes back as a
    detached standby, and if it is the next master it is promoted, with no transaction left from before.
    """
    return Fence("somebody else has led since this primary did") if _is_remnant(snapshot) else None


def _is_remnant(snapshot: Snapshot) -> bool:
    record, lease = view_of(snapshot).record, view_of(snapshot).lease
    if snapshot.database.role is not Role.PRIMARY or record is None:
        return False
    return (record.leader, record.term) != (snapshot.me, lease.term)


def detach(snapshot: Snapshot, spec: Spec) -> Detach | None:
    """The lease is free: promise, so that the old leader can acknowledge nothing through this node."""
    view = view_of(snapshot)
    attached = snapshot.database.role is Role.STANDBY and (
        snapshot.database.upstream is not None or snapshot.database.receiving
    )
    if snapshot.promise.round < view.lease.modified or attached:
        return Detach(view.lease.modified)
    return None


def report(snapshot: Snapshot, spec: Spec) -> ReportPosition | None:
    """Report once a round, and anew when what was reported is no longer so."""
    view = view_of(snapshot)
    mine = view.reports.get(snapshot.me)
    role = snapshot.database.role
    if role not in (Role.PRIMARY, Role.STANDBY) or snapshot.promise.round > view.lease.modified:
        return None
    if _is_remnant(snapshot):
        return None
    eligible = is_eligible(snapshot, spec)
    now = (view.lease.modified, role is Role.PRIMARY, eligible)
    if mine is not None and (mine.round, mine.primary, mine.eligible) == now:
        return None
    return ReportPosition(view.lease.modified, eligible)


def acquire_lease(snapshot: Snapshot, spec: Spec) -> AcquireLease | None:
    """Only the next master tries to take the lease."""
    view = view_of(snapshot)
    chosen = next_master(view)
    if chosen is None or chosen.node != snapshot.me or not is_eligible(snapshot, spec):
        return None
    if snapshot.promise.round > view.lease.modified or must_wait(view, spec):
        return None
    return AcquireLease(view.lease.modified, view.lease_seen_s, _why_free(snapshot.me, view))


def _why_free(me: str, view: ClusterView) -> str:
    """What is known of why the last leader leads no more."""
    old = view.record.leader if view.record else me
    if old == me:
        return "its own lease was lost"
    suspecting = sorted(name for name, term in view.suspicions.items() if term == view.lease.term)
    if suspecting:
        return f"{old} could not be reached by {', '.join(suspecting)}"
    failing = sorted((CANDIDATE_CHECKS | SESSION_CHECKS) - view.health.get(old, frozenset()))
    return f"{old} fails: {', '.join(failing)}" if failing else f"{old} gave the lease up"


def end_unreachable_leader(snapshot: Snapshot, spec: Spec) -> EndSession | None:
    """A majority of the members, freshly, cannot reach the leader's guard: do not wait for Consul."""
    view = view_of(snapshot)
    if view.lease.session is None or view.lease.holder == snapshot.me or view.paused:
        return None
    suspecting = [
        name
        for name, term in view.suspicions.items()
        if term == view.lease.term
        and name in view.members
        and "heartbeat" in view.health.get(name, frozenset())
    ]
    if len(suspecting) < majority_of(len(view.members)):
        return None
    return EndSession(
        view.lease.session, view.lease.term, f"{', '.join(sorted(suspecting))} cannot reach the leader"
    )


def end_own_stale_session(snapshot: Snapshot, spec: Spec) -> EndSession | None:
    """The lease is held in this node's name by a session of an earlier life, which nobody renews."""
    lease = view_of(snapshot).lease
    if lease.holder == snapshot.me and lease.session is not None and not snapshot.holds_lease:
        return EndSession(lease.session, lease.term, "the session belongs to an earlier life of this node")
    return None


def healthiest_candidate(snapshot: Snapshot, spec: Spec) -> str | None:
    """A member of the sync record that could take over now without a loss, or None."""
    view = view_of(snapshot)
    if view.record is None:
        return None
    able = [
        name
        for name in view.record.members & frozenset(view.members)
        if view.health.get(name, frozenset()) >= CANDIDATE_CHECKS
    ]
    return max(able, key=lambda name: (view.members[name].priority, name), default=None)


def step_down(snapshot: Snapshot, spec: Spec) -> StepDown | HandOver | None:
    """An unwell leader makes room when a healthy candidate exists, and stays when nobody is better.

    With a working database it hands over, which loses nothing and interrupts least.
    """
    if view_of(snapshot).paused:
        return None
    database_down = snapshot.database_failing_s > 0
    services_down = snapshot.services_failing_s >= spec.service_grace_s
    if not (database_down or services_down) or not announced(snapshot):
        return None
    candidate = healthiest_candidate(snapshot, spec)
    if candidate is None:
        return None
    term = view_of(snapshot).lease.term
    if database_down:
        return StepDown(term, "its database is down")
    return HandOver(term, candidate)


def announce(snapshot: Snapshot, spec: Spec) -> Announce | None:
    """Once a term: say where to follow."""
    return None if announced(snapshot) else Announce(view_of(snapshot).lease.term)


def hand_over(snapshot: Snapshot, spec: Spec) -> HandOver | None:
    """The leader's part of a switchover that was asked for."""
    view = view_of(snapshot)
    if view.switchover is None or not snapshot.holds_lease:
        return None
    return HandOver(view.lease.term, view.switchover.target)


def take_over(snapshot: Snapshot, spec: Spec) -> AcquireLease | None:
    """The target's part: the old leader's database has stopped, and all that it had is here."""
    view = view_of(snapshot)
    switchover, position = view.switchover, snapshot.database.position
    if (
        switchover is None
        or switchover.released_at is None
        or switchover.target != snapshot.me
        or position is None
    ):
        return None
    has_everything = position >= switchover.released_at and snapshot.database.role is Role.STANDBY
    cause = "a switchover was asked for"
    return AcquireLease(view.lease.modified, view.lease_seen_s, cause) if has_everything else None


def end_switchover(snapshot: Snapshot, spec: Spec) -> EndSwitchover | None:
    """A switchover of another term is over, well or not. Clients need not wait until that is tidied up."""
    view = view_of(snapshot)
    if view.switchover is None or view.switchover.term == view.lease.term or not serves(snapshot):
        return None
    return EndSwitchover(view.switchover.term, "a new term has begun")


def serves(snapshot: Snapshot) -> bool:
    """Whether the REST service may act as the leader: announced, on record, open, and not handing over.

    While Consul is gone, and until the lease that was lost with it has been taken back, the members' word
    stands for the lease.
    """
    view, ready = snapshot.cluster, snapshot.database.role is Role.PRIMARY and not snapshot.database.read_only
    if view is None or (view.lease.free and led_last(snapshot, view)):
        return ready and snapshot.confirmed
    if not snapshot.holds_lease or view.announcement is None or view.record is None:
        return False
    term = view.lease.term
    draining = view.switchover is not None and view.switchover.term == term
    return ready and not draining and view.announcement.term == term and view.record.term == term
