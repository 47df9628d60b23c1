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
        return Situation.CUT_OFF
    if view.paused:
        return Situation.PAUSED
    if is_handing_over(snapshot, view, spec):
        return Situation.HANDING_OVER
    return _by_lease(snapshot, view)


def _by_lease(snapshot: Snapshot, view: ClusterView) -> Situation:
    if holds_lease(snapshot):
        return Situation.LEADING
    return Situation.LEADERLESS if view.lease.free else Situation.FOLLOWING


def holds_lease(snapshot: Snapshot) -> bool:
    """Whether the newest consistent read shows this node's own session on the lease."""
    view = snapshot.cluster
    return view is not None and not view.lease.free and view.lease.session == snapshot.session


def is_handing_over(snapshot: Snapshot, view: ClusterView, spec: Spec) -> bool:
    """Whether a switchover is under way that this node has a part in.

    Before the release it concerns only the leader. After it, everybody leaves the free lease to the
    target for a bounded time; then an ordinary round decides.
    """
    switchover = view.switchover
    if switchover is None or switchover.term != view.lease.term:
        return False
    if not view.lease.free:
        return holds_lease(snapshot) and switchover.released_at is None
    return switchover.released_at is not None and view.lease_seen_s < spec.switchover_timeout_s


def view_of(snapshot: Snapshot) -> ClusterView:
    """The cluster as the snapshot shows it, for rules of situations in which it is known."""
    if snapshot.cluster is None:
        raise ValueError(
            "a rule that needs the cluster was tried in a situation in which nothing is known of it"
        )
    return snapshot.cluster
