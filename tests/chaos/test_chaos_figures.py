"""What is counted as an interruption, and as told by the list of nodes. Nothing is started."""

from __future__ import annotations

from tests.chaos.judge import interruption, truth_s
from tests.chaos.runner import Struck
from tests.chaos.workload import Listed

STRUCK = Struck("host killed", "kill host n1", ["n1"], silences=True, at=100.0, healed=110.0, whole=120.0)


def test_an_interruption_counts_from_the_last_write_and_is_divided_by_the_free_lease():
    found = interruption(STRUCK, 120.0, [99.0, 100.5, 104.0, 104.1], [90.0, 102.0])
    assert found == {"interruption_s": 3.5, "detection_s": 1.5, "after_detection_s": 2.0}


def test_without_a_free_lease_all_of_it_counts():
    found = interruption(STRUCK, 120.0, [99.9, 100.1, 100.2], [])
    assert found == {"interruption_s": 0.1, "detection_s": None, "after_detection_s": 0.1}


def test_what_was_before_the_fault_or_after_it_does_not_count():
    assert interruption(STRUCK, 120.0, [50.0, 99.0, 121.0, 180.0, 190.0], [])["interruption_s"] == 21.0
    assert interruption(STRUCK, 120.0, [125.0, 180.0], [])["interruption_s"] is None


def test_the_list_is_true_when_a_host_that_is_gone_is_neither_online_nor_the_leader():
    everybody, left = frozenset({"n1", "n2"}), frozenset({"n2"})
    listed = [Listed(101.0, 101.1, everybody, "n1"), Listed(103.0, 103.2, left, "n2")]
    assert round(truth_s(STRUCK, listed) or 0, 1) == 3.2
    assert truth_s(STRUCK, listed[:1]) is None
