from orchestrator.guard import due_in_s
from orchestrator.record.lease_file import LeaseState


def test_a_manager_alone_is_never_fenced():
    assert due_in_s(LeaseState(member=False), at_s=1e9) is None


def test_without_a_readable_state_nothing_is_fenced():
    assert due_in_s(None, at_s=1.0) is None


def test_a_member_that_has_never_led_is_not_fenced():
    assert due_in_s(LeaseState(member=True), at_s=1e9) is None


def test_a_lease_counts_down_and_is_then_due():
    state = LeaseState(member=True, held=True, valid_until_s=102.5)
    assert due_in_s(state, at_s=100.0) == 2.5
    assert due_in_s(state, at_s=102.5) == 0
    assert due_in_s(state, at_s=500.0) == 0


def test_a_lease_that_is_no_longer_held_still_fences_at_its_end():
    state = LeaseState(member=True, held=False, valid_until_s=102.5)
    assert due_in_s(state, at_s=103.0) == 0
