"""Which situation a node is in. Exactly one applies; the order below is the order of precedence."""

from __future__ import annotations

from enum import StrEnum

from orchestrator.model.snapshot import ClusterView, MembershipState, Snapshot
from orchestrator.model.spec import Spec


class Situation(StrEnum):
    """The rows of the playbook."""

    ALONE = "alone"
    REMOVED = "removed"
    CUT_OFF = "cut_off"
    CONFIRMED = "confirmed"
    BOUND = "bound"
    PAUSED = "paused"
    HANDING_OVER = "handing_over"
    LEADING = "leading"
    LEADERLESS = "leaderless"
    FOLLOWING = "following"


def situation_of(snapshot: Snapshot, spec: Spec) -> Situation:
    """The situation in which ``snapshot`` was taken."""
    view = snapshot.cluster
    if snapshot.membership is MembershipState.REMOVED or (view and snapshot.me in view.removed):
        return Situation.REMOVED
    if snapshot.membership is not MembershipState.MEMBER:
        return Situation.ALONE
    if view is None:
        return Situation.CONFIRMED if snapshot.confirmed else Situation.CUT_OFF
    if is_handing_over(snapshot, view, spec):
        return Situation.HANDING_OVER
    return _by_lease(snapshot, view)


def _by_lease(snapshot: Snapshot, view: ClusterView) -> Situation:
    if snapshot.holds_lease:
        return Situation.LEADING
    if not view.lease.free:
        return Situation.FOLLOWING
    if led_last(snapshot, view):
        return Situation.LEADERLESS
    if view.paused:
        return Situation.PAUSED
    return Situation.BOUND if _is_bound(snapshot, view) else Situation.LEADERLESS


def _is_bound(snapshot: Snapshot, view: ClusterView) -> bool:
    """Whether this node has told the last leader, while Consul was gone, to take no part in a round yet."""
    return snapshot.word.term == view.lease.term and snapshot.taken_at_s < snapshot.word.until_s


def led_last(snapshot: Snapshot, view: ClusterView) -> bool:
    """Whether nobody has led since this node did: when it takes its lease back, that is no failover."""
    record = view.record
    return record is not None and (record.leader, record.term) == (snapshot.me, view.lease.term)


def is_handing_over(snapshot: Snapshot, view: ClusterView, spec: Spec) -> bool:
    """Whether a switchover is under way that this node has a part in.

    Before the release it concerns only the leader. After it, everybody leaves the free lease to the
    target for a bounded time; then an ordinary round decides.
    """
    switchover = view.switchover
    if switchover is None or switchover.term != view.lease.term:
        return False
    if not view.lease.free:
        return snapshot.holds_lease and switchover.released_at is None
    return switchover.released_at is not None and view.lease_seen_s < spec.switchover_timeout_s


def view_of(snapshot: Snapshot) -> ClusterView:
    """The cluster as the snapshot shows it, for rules of situations in which it is known."""
    if snapshot.cluster is None:
        raise ValueError(
            "a rule that needs the cluster was tried in a situation in which nothing is known of it"
        )
    return snapshot.cluster


def announced(snapshot: Snapshot) -> bool:
    """Whether the leader of the present term has said where to follow."""
    view = view_of(snapshot)
    return view.announcement is not None and view.announcement.term == view.lease.term
