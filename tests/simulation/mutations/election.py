"""Who may lead, and who takes the lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.decide import election
from orchestrator.model.lsn import Position
from tests.simulation.consul_client import SimConsulClient
from tests.simulation.mutations.catalogue import Swap, mutation
from tests.simulation.mutations.climates import BLIPS, FIVE, STALE, SWITCHOVERS
from tests.simulation.mutations.stories import the_lease_is_taken_late, the_longer_log_is_the_older_one


@mutation("m - k reports are taken to be enough", seed=4)
def one_report_too_few(swap: Swap) -> None:
    _floor_with(swap, lambda record, reports: len(reports) >= len(record.members) - record.k)


@mutation("any report is enough, whoever it comes from", seed=2, climate=FIVE)
def floor_ignored(swap: Swap) -> None:
    swap(
        election,
        "floor_of",
        lambda record, reports, members: min((r.position for r in reports), default=None),
    )


@mutation("reports of nodes that are not on record count towards the quorum", seed=2, climate=SWITCHOVERS)
def strangers_count(swap: Swap) -> None:
    original = election.floor_of

    def floor_of(record: Any, reports: Any, members: int) -> Any:
        everybody = frozenset(report.node for report in reports) - {record.leader}
        if record.k > 0 and len(everybody) >= len(record.members) - record.k + 1:
            return max(report.position for report in reports if report.node in everybody)
        return original(record, reports, members)

    swap(election, "floor_of", floor_of)


def _floor_with(swap: Swap, enough: Callable[[Any, Any], bool]) -> None:
    original = election.floor_of

    def floor_of(record: Any, reports: Any, members: int) -> Any:
        from_members = [report.position for report in reports if report.node in record.members]
        if record.k > 0 and from_members and enough(record, from_members):
            return max(from_members)
        return original(record, reports, members)

    swap(election, "floor_of", floor_of)


@mutation("the lowest position wins, and is the floor", climate=STALE)
def lowest_lsn_wins(swap: Swap) -> None:
    swap(
        Position,
        "__lt__",
        lambda one, other: (one.term, one.timeline, one.lsn) > (other.term, other.timeline, other.lsn),
    )


@mutation("the LSN counts before term and timeline", story=the_longer_log_is_the_older_one)
def lsn_before_timeline(swap: Swap) -> None:
    swap(
        Position,
        "__lt__",
        lambda one, other: (one.lsn, one.term, one.timeline) < (other.lsn, other.term, other.timeline),
    )


@mutation(
    "the old leader's report counts as final although its database is still the primary",
    seed=50,
    climate=FIVE,
)
def report_of_a_primary_is_final(swap: Swap) -> None:
    original = election.floor_of

    def floor_of(record: Any, reports: Any, members: int) -> Any:
        floor = original(record, reports, members)
        own = next((report for report in reports if report.node == record.leader), None)
        return own.position if floor is None and own is not None else floor

    swap(election, "floor_of", floor_of)


@mutation("a node that reported and died is waited for", climate=BLIPS)
def the_dead_are_candidates(swap: Swap) -> None:
    swap(election, "_is_candidate", lambda report, view: report.eligible)


@mutation(
    "the lease is taken without a look at whether it has changed since",
    story=the_lease_is_taken_late,
)
def acquire_without_check_index(swap: Swap) -> None:
    acquire = SimConsulClient.acquire_lease
    swap(SimConsulClient, "acquire_lease", lambda self, session, modified=None: acquire(self, session))
