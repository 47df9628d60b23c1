"""Who may lead next: the floor, the candidates, and the best of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide.election import floor_of, majority_of, next_master, reports_of_round
from orchestrator.model.snapshot import SyncRecord
from tests.unit.decide.pictures import FREE, INDEX, RECORD, at, report, reports, view

OF_FIVE = SyncRecord(5, "n1", 2, frozenset({"n2", "n3", "n4", "n5"}))
ALONE = SyncRecord(5, "n1", 0, frozenset())
ASYNC = SyncRecord(5, "n1", 0, frozenset(), "async")


def test_majorities():
    assert [majority_of(count) for count in range(1, 6)] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("record", "given", "floor"),
    [
        (RECORD, (report("n2", at(90)), report("n3", at(95))), at(95)),
        (RECORD, (report("n2", at(90)),), None),  # n3 may have what n2 has not, and may still acknowledge.
        (RECORD, (report("n1", at(99)),), at(99)),
        (RECORD, (report("n1", at(99), primary=True),), None),  # It may acknowledge more behind its report.
        (RECORD, (report("n2", at(90)), report("n4", at(99))), None),  # n4 is not on record.
        (OF_FIVE, (report("n2", at(1)), report("n3", at(2)), report("n4", at(3))), at(3)),
        (OF_FIVE, (report("n2", at(1)), report("n3", at(2))), None),
        (ALONE, (report("n2", at(90)), report("n3", at(95))), None),
        (ALONE, (report("n1", at(99)),), at(99)),
        (ASYNC, (report("n2", at(90)), report("n3", at(95))), at(95)),
        (ASYNC, (report("n2", at(90)),), None),
    ],
)
def test_floor(record, given, floor):
    assert floor_of(record, given, 3) == floor


def chosen(*given, record=RECORD, **changes):
    master = next_master(view(lease=FREE, record=record, reports=reports(*given), **changes))
    return master.node if master else None


@pytest.mark.parametrize(
    ("given", "node"),
    [
        ((report("n2", at(90)), report("n3", at(95))), "n3"),
        ((report("n2", at(95, timeline=2)), report("n3", at(99))), "n2"),
        ((report("n2", at(1, timeline=2, term=6)), report("n3", at(99, timeline=3))), "n2"),
        ((report("n2", at(95), priority=1), report("n3", at(95))), "n2"),
        ((report("n2", at(95)), report("n3", at(95))), "n3"),
        ((report("n2", at(95), priority=9), report("n3", at(95)), report("n1", at(95), primary=True)), "n1"),
        ((report("n2", at(90)), report("n3", at(95), eligible=False)), None),  # n2 is below the floor.
        ((report("n2", at(95)), report("n3", at(95), eligible=False)), "n2"),
        ((report("n1", at(99), primary=True),), "n1"),
        ((report("n1", at(99), primary=True, eligible=False), report("n2", at(99))), None),
        ((report("n1", at(99), eligible=False), report("n2", at(99))), "n2"),
        ((), None),
    ],
)
def test_next_master(given, node):
    assert chosen(*given) == node


def test_whoever_has_died_since_its_report_is_no_candidate():
    given = (report("n2", at(95)), report("n3", at(95)), report("n1", at(99), primary=True))
    assert chosen(*given) == "n1"
    assert chosen(*given, health={"n2": frozenset({"heartbeat"})}) == "n2"


def test_without_a_record_nobody_leads():
    assert chosen(report("n2", at(90)), report("n3", at(95)), record=None) is None


def test_only_reports_of_this_round_and_of_members_count():
    counted = report("n2", at(90))
    others = (replace(report("n3", at(1)), round=INDEX - 1), report("n9", at(1)))
    assert reports_of_round(view(lease=FREE, reports=reports(counted, *others))) == (counted,)
