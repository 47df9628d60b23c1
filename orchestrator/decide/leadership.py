"""The rules around the lease: only the node that its own snapshot names as the next master tries to take it.

Everything here follows ``safety.md``.
"""

from __future__ import annotations

from orchestrator.decide.election import CANDIDATE_CHECKS, is_eligible, majority_of, next_master
from orchestrator.decide.force import must_wait
from orchestrator.decide.situation import announced, is_active, led_last, view_of
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
from orchestrator.model.minority import MOST_RECENT
from orchestrator.model.snapshot import SESSION_CHECKS, ClusterView, Role, Snapshot
from orchestrator.model.spec import Spec

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
    detached standby, and if it is the next master it is promoted, with no transaction left from before. So is
    one that has acted without the majority: the others are to know what it has.
    """
    if snapshot.minority is not None and snapshot.database.role is Role.PRIMARY:
        return Fence("this node has acted without the majority, which is back")
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
    return ReportPosition(view.lease.modified, eligible, _updated_alone_at(snapshot, spec))


def _updated_alone_at(snapshot: Snapshot, spec: Spec) -> float:
    """When this node was written to last in minority mode, if that shall count."""
    marked = snapshot.minority
    counts = marked is not None and marked.has_written and spec.options.heal_policy == MOST_RECENT
    return marked.updated_at if marked is not None and counts else 0.0


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
    # Nobody can receive from a leader without a database: soon that says nothing against a replica any more.
    excused = {"database"} if snapshot.database_failing_s >= spec.drop_after_s else frozenset()
    able = [
        name
        for name in view.record.members & frozenset(view.members)
        if view.health.get(name, frozenset()) >= CANDIDATE_CHECKS - excused
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
    if switchover is None or switchover.released_at is None or switchover.target != snapshot.me:
        return None
    if switchover.heals:
        return AcquireLease(view.lease.modified, view.lease_seen_s, "its database was updated last")
    standby = snapshot.database.role is Role.STANDBY
    has_everything = standby and position is not None and position >= switchover.released_at
    cause = "a switchover was asked for"
    return AcquireLease(view.lease.modified, view.lease_seen_s, cause) if has_everything else None


def let_go(snapshot: Snapshot, spec: Spec) -> Detach | None:
    """The others let go of a leader that has handed over, so that they can follow the next one at once."""
    switchover = view_of(snapshot).switchover
    if switchover is None or switchover.released_at is None or switchover.target == snapshot.me:
        return None
    return detach(snapshot, spec) if snapshot.database.role is Role.STANDBY else None


def end_switchover(snapshot: Snapshot, spec: Spec) -> EndSwitchover | None:
    """A switchover of another term is over, well or not. Clients need not wait until that is tidied up."""
    view = view_of(snapshot)
    if view.switchover is None or view.switchover.term == view.lease.term or not serves(snapshot):
        return None
    return EndSwitchover(view.switchover.term, "a new term has begun")


def serves(snapshot: Snapshot) -> bool:
    """Whether the REST service may act as the leader: announced, on record, and open.

    A leader that is to hand over serves until its database takes no more writes.
    While Consul is gone, and until the lease that was lost with it has been taken back, the members' word
    stands for the lease. In minority mode nothing does.
    """
    view, ready = snapshot.cluster, snapshot.database.role is Role.PRIMARY and not snapshot.database.read_only
    if view is None or (view.lease.free and led_last(snapshot, view)):
        return (ready and snapshot.confirmed) or is_active(snapshot)
    if not snapshot.holds_lease or view.announcement is None or view.record is None:
        return False
    term = view.lease.term
    return ready and view.announcement.term == term and view.record.term == term
