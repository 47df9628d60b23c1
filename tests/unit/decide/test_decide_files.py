"""When files are mirrored, gathered and swept, and when they are left alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from orchestrator.decide import decide
from orchestrator.decide.files import gather_files, sweep_alone, sweep_files, sync_files
from orchestrator.model.file_actions import GatherFiles, SweepFiles, SyncFiles
from orchestrator.model.files import FilesRecord, FilesState
from orchestrator.model.snapshot import MembershipState
from tests.unit.decide.pictures import FILES, SPEC, TERM, leader, primary, replica

LATELY = FilesState(FILES, compared_s=1.0, checked_s=1.0, swept_s=1.0)
MIRROR = SyncFiles(TERM, "n1")


@pytest.mark.parametrize(
    ("record", "state", "wanted"),
    [
        (FILES, LATELY, None),
        (replace(FILES, generation=4), LATELY, MIRROR),
        (replace(FILES, complete=False), LATELY, MIRROR),
        (None, LATELY, None),
        (replace(FILES, term=TERM - 1, generation=9), LATELY, None),
        (FILES, replace(LATELY, mirrored=None), MIRROR),
        (FILES, replace(LATELY, compared_s=61), replace(MIRROR, compare=True)),
        (FILES, replace(LATELY, checked_s=3601), replace(MIRROR, compare=True, by_content=True)),
        (FILES, FilesState(), replace(MIRROR, compare=True)),
        (replace(FILES, generation=4), replace(LATELY, failed_s=1), None),
        (replace(FILES, generation=4), replace(LATELY, failed_s=3), MIRROR),
    ],
)
def test_a_replica_mirrors_what_is_new_and_compares_from_time_to_time(record, state, wanted):
    assert sync_files(replica(cluster={"files": record}, files=state), SPEC) == wanted


def test_nobody_is_mirrored_who_has_not_announced_itself():
    changed = {"files": replace(FILES, generation=4)}
    assert sync_files(replica(cluster={**changed, "announcement": None}), SPEC) is None


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (FILES, None),
        (None, GatherFiles(TERM)),
        (FilesRecord(TERM - 1, 9, complete=True), GatherFiles(TERM)),
        (replace(FILES, complete=False), GatherFiles(TERM)),
    ],
)
def test_a_leader_gathers_until_it_has_everything(record, wanted):
    assert gather_files(leader(cluster={"files": record}), SPEC) == wanted


def test_a_leader_gathers_when_it_serves_and_not_at_once_again():
    lacking = {"files": None}
    assert gather_files(leader(cluster=lacking, database=primary(read_only=True)), SPEC) is None
    assert gather_files(leader(cluster=lacking, files=FilesState(failed_s=1)), SPEC) is None


@pytest.mark.parametrize(
    ("record", "swept_s", "wanted"),
    [
        (FILES, 1, None),
        (FILES, 61, SweepFiles(TERM)),
        (FILES, math.inf, SweepFiles(TERM)),
        (replace(FILES, complete=False), math.inf, None),
        (None, math.inf, None),
    ],
)
def test_a_leader_sweeps_from_time_to_time_once_it_is_complete(record, swept_s, wanted):
    seen = leader(cluster={"files": record}, files=replace(LATELY, swept_s=swept_s))
    assert sweep_files(seen, SPEC) == wanted


def test_a_manager_that_is_alone_sweeps_and_one_that_joins_does_not():
    alone = leader(membership=MembershipState.ALONE, files=FilesState())
    assert sweep_alone(alone, SPEC) == SweepFiles(None)
    assert sweep_alone(replace(alone, membership=MembershipState.JOINING), SPEC) is None


def test_a_plan_is_carried_out_in_two_parts_that_do_not_wait_for_each_other():
    seen = leader(cluster={"files": None}, running=frozenset())
    chain, beside = decide(seen, SPEC).parts()
    assert [type(action).__name__ for action in chain.actions] == ["StartServices"]
    assert beside.actions == (GatherFiles(TERM),)
    assert beside.is_beside
    assert not chain.is_beside
