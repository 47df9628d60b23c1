from orchestrator.observe.stopwatch import Stopwatch


def test_a_fact_is_as_old_as_its_present_value():
    stopwatch = Stopwatch()
    assert stopwatch.held_s("lease", "free", 10.0) == 0
    assert stopwatch.held_s("lease", "free", 12.5) == 2.5
    assert stopwatch.held_s("lease", "taken", 13.0) == 0
    assert stopwatch.held_s("lease", "free", 14.0) == 0


def test_what_has_just_begun_to_fail_counts_as_failing():
    stopwatch = Stopwatch()
    assert stopwatch.true_for_s("database", value=False, now_s=1.0) == 0
    assert 0 < stopwatch.true_for_s("database", value=True, now_s=2.0) < 0.001
    assert stopwatch.true_for_s("database", value=True, now_s=5.0) == 3.0
    assert stopwatch.true_for_s("database", value=False, now_s=6.0) == 0
