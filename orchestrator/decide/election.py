"""Who should lead: the next master function (``safety.md``).

Reports of a round are counted, and the best reporter is named: from one state every node names the same.
"""

from __future__ import annotations

from orchestrator.decide.force import forced_leader
from orchestrator.decide.situation import view_of
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
    LSN, then the node that is still the primary (no failover at all), then priority, then the name. Of those
    that have all that was acknowledged, one comes first that was written to last, in minority mode.
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
        key=lambda report: (
            report.updated_at,
            report.position,
            report.primary,
            report.priority,
            report.node,
        ),
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
