"""Record and setting: from anywhere to anything, one change at a time, and the record is never a lie."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.decide.quorum import next_step, wanted_k
from orchestrator.model.action import ConfirmRecord, SetStandbys, WriteRecord
from orchestrator.model.snapshot import SyncRecord, SyncSetting

NODES = ("n2", "n3", "n4", "n5", "n6")
MOST_STEPS = 6


@st.composite
def setting(draw):
    members = draw(st.frozensets(st.sampled_from(NODES)))
    return SyncSetting(draw(st.integers(0, len(members))), members) if members else SyncSetting()


@st.composite
def beginning(draw):
    """A record, and a setting that implies it."""
    present = draw(setting())
    members = draw(st.frozensets(st.sampled_from(NODES)))
    k = present.k - len(present.members - members)
    return SyncRecord(7, "n1", draw(st.integers(0, max(0, k))), members), present


@given(beginning(), setting())
@settings(max_examples=500, deadline=None)
def test_every_way_is_short_and_the_record_is_true_at_every_moment_of_it(start, wanted):
    (record, present), steps = start, 0
    while step := next_step(record, present, wanted, "quorum"):
        if isinstance(step, SetStandbys):
            assert step.record == record
            # While it changes, some processes go by the old setting and some by the new one.
            assert present.implies(record)
            assert step.setting.implies(record)
            present = step.setting
        elif isinstance(step, WriteRecord):
            assert step.before == record
            assert _claims_no_more(step.record, record), "what is written at once must be true of the past"
            record = step.record
        else:
            assert isinstance(step, ConfirmRecord)
            record = step.record
        assert present.implies(record)
        steps += 1
        assert steps <= MOST_STEPS
    assert present == wanted
    assert (record.k, record.members) == (wanted.k, wanted.members) or record.k == wanted.k == 0


def _claims_no_more(later: SyncRecord, earlier: SyncRecord) -> bool:
    return later.k == 0 or (later.k <= earlier.k and later.members >= earlier.members)


@given(beginning(), setting())
@settings(max_examples=200, deadline=None)
def test_the_way_to_asynchronous_and_back(start, wanted):
    record, present = start
    for mode, goal in (("async", SyncSetting()), ("quorum", wanted)):
        for _ in range(MOST_STEPS):
            step = next_step(record, present, goal, mode)
            if isinstance(step, SetStandbys):
                present = step.setting
            elif step is not None:
                record = step.record
            assert present.implies(record)
        assert (step, record.mode, present) == (None, mode, goal)


@pytest.mark.parametrize(
    ("k", "of", "record_k", "record_of", "implied"),
    [
        (1, "n2 n3", 1, "n2 n3", True),
        (1, "n2", 1, "n2 n3", True),
        (1, "n2 n3", 1, "n2", False),  # The one may be n3.
        (2, "n2 n3", 1, "n2", True),
        (2, "n2 n3 n4", 1, "n2", False),
        (0, "", 1, "n2", False),
        (1, "n2 n3", 0, "", True),  # Who claims nothing is never wrong.
    ],
)
def test_what_a_setting_implies(k, of, record_k, record_of, implied):
    record = SyncRecord(1, "n1", record_k, frozenset(record_of.split()))
    assert SyncSetting(k, frozenset(of.split())).implies(record) == implied


def test_with_the_leader_they_are_a_majority():
    assert [wanted_k(size, size - 1) for size in (1, 2, 3, 4, 5, 7)] == [0, 1, 1, 2, 2, 3]
    assert wanted_k(5, 1) == 1
