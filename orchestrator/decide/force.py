"""An operator has a node lead that may lack acknowledged writes, because who has them does not come back."""

from __future__ import annotations

from orchestrator.model.snapshot import ClusterView, Report
from orchestrator.model.spec import Spec


def forced_leader(view: ClusterView, reports: tuple[Report, ...]) -> Report | None:
    """The report of the node that shall lead by force, in this very round.

    Only when the last leader went on alone (``k`` = 0): otherwise a reporter has what was acknowledged, and
    the cluster decides by itself. And only until the last leader reports: it has everything.
    """
    forced, record = view.forced, view.record
    if forced is None or record is None or record.k > 0 or forced.round != view.lease.modified:
        return None
    return next((report for report in reports if report.node == forced.node), None)


def must_wait(view: ClusterView, spec: Spec) -> bool:
    """Whether the last leader may still believe in its lease, and acknowledge writes to itself alone.

    Whoever acknowledges with the help of others is stopped by their promises. One that is alone is stopped by
    its guard only, when its lease has lasted as long as it can.
    """
    if view.forced is None or view.record is None or view.forced.round != view.lease.modified:
        return False
    leader = view.members.get(view.record.leader)
    multiplier = float(str(leader.options.get("check_ttl_multiplier", 1))) if leader else 1.0
    return view.lease_seen_s < spec.alone_after_s * max(1.0, multiplier)
