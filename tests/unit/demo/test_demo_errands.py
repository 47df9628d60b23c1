"""What has to become of the two workflows of the demo, and how that is said."""

from __future__ import annotations

from collections import Counter

import pytest

from demo.errands import STEPS, Outcome, WorkLost, check

ALL = Counter({f"step_{number}": 1 for number in range(1, STEPS + 1)})
HALF = Counter({"step_1": 1, "step_2": 1})
FAILED = Outcome("once_only", "failed", "not resumable", HALF)


def install(status: str = "completed", **again: int) -> Outcome:
    return Outcome("install", status, None, Counter({**ALL, **again}))


@pytest.mark.parametrize("resumable", [install(), install(step_3=2)])
def test_one_step_may_have_been_interrupted(resumable):
    check(resumable, FAILED)


@pytest.mark.parametrize(
    "resumable",
    [
        install("failed"),
        install(step_3=3),
        install(step_2=2, step_3=2),
        Outcome("install", "completed", None, HALF),
    ],
)
def test_a_step_that_was_done_is_not_done_again_and_none_is_left_out(resumable):
    with pytest.raises(WorkLost, match="install"):
        check(resumable, FAILED)


@pytest.mark.parametrize("outcome", [Outcome("once_only", "completed", None, ALL), install(step_1=2)])
def test_what_cannot_be_resumed_has_failed(outcome):
    with pytest.raises(WorkLost):
        check(install(), outcome)


def test_what_is_told():
    assert install().text == "completed (6 of 6 steps were begun)"
    assert install(step_3=2).text == (
        "completed (6 of 6 steps were begun; step_3 was interrupted, and begun again)"
    )
    assert FAILED.text == "failed: not resumable (2 of 6 steps were begun)"
