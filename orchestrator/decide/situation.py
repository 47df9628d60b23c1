"""Which situation a node is in. Exactly one applies; the order below is the order of precedence."""

from __future__ import annotations

from enum import StrEnum

from orchestrator.model.minority import ACTIVE, READ_ONLY
from orchestrator.model.snapshot import ClusterView, MembershipState, Role, Snapshot
from orchestrator.model.spec import Spec


class Situation(StrEnum):
    """The rows of the playbook."""

    ALONE = "alone"
    REMOVED = "removed"
    CUT_OFF = "cut_off"
    CONFIRMED = "confirmed"
    MINORITY = "minority"
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
        return _without_consul(snapshot, spec)
    if is_handing_over(snapshot, view, spec):
        return Situation.HANDING_OVER
    return _by_lease(snapshot, view)


def _without_consul(snapshot: Snapshot, spec: Spec) -> Situation:
    if snapshot.confirmed:
        return Situation.CONFIRMED
    return Situation.MINORITY if _is_in_minority(snapshot, spec) else Situation.CUT_OFF


def _is_in_minority(snapshot: Snapshot, spec: Spec) -> bool:
    """Whether this node has lost the majority for good, as far as it can tell, and shall do without.

    Who can reach half of the members without Consul is not cut off from them: Consul is gone, for all alike.
    """
    if spec.options.minority_mode not in (ACTIVE, READ_ONLY):
        return False
    if snapshot.minority is not None:
        return True
    patient = snapshot.cut_off_s >= spec.minority_after_s
    return patient and snapshot.company is not None and snapshot.company.is_minority


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


def is_active(snapshot: Snapshot) -> bool:
    """Whether this node takes writes without the majority."""
    database = snapshot.database
    marked = snapshot.cluster is None and snapshot.minority is not None
    return marked and database.role is Role.PRIMARY and not database.read_only and database.setting.k == 0


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
