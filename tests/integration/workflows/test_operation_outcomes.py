"""What becomes of an operation is answered: what it returned, or why it failed and whether to try again."""

from __future__ import annotations

import pytest

from manager.operations.message import Outcome
from tests.support.operations import Place

pytestmark = pytest.mark.integration


def test_an_operation_that_does_nothing_succeeds(place: Place) -> None:
    answer = place.run("manager.operations.builtin.nothing")
    assert (answer.outcome, answer.result, answer.error) == (Outcome.SUCCEEDED, None, None)
    assert answer.worker == f"operations@{place.bench.config.host_ip}"


def test_what_it_returns_is_its_result(place: Place) -> None:
    answer = place.python(
        "return {'inputs': inputs, 'set': {1}, 'object': object, 'nul': 'a\\0b'}", kwargs={"a": [1]}
    )
    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert answer.result == {
        "inputs": {"a": [1]},
        "set": [1],
        "object": "<class 'object'>",
        "nul": "a\N{REPLACEMENT CHARACTER}b",
    }


@pytest.mark.parametrize(
    ("body", "outcome", "recoverable", "retry_after_s", "error"),
    [
        ("raise ValueError('no')", "failed", True, None, "no"),
        (
            "import cloudify.exceptions as e; raise e.NonRecoverableError('never')",
            "failed",
            False,
            None,
            "never",
        ),
        (
            "import cloudify.exceptions as e; raise e.RecoverableError('soon', retry_after=3)",
            *("failed", True, 3, "soon [retry_after=3]"),
        ),
        ("return ctx.operation.retry('not yet', retry_after=7)", "retry", True, 7, "not yet [retry_after=7]"),
        ("raise SystemExit(3)", "failed", True, None, "It called exit (3)."),
    ],
)
def test_how_it_ends_says_whether_it_is_tried_again(
    place: Place, body: str, outcome: str, recoverable: object, retry_after_s: float | None, error: str
) -> None:
    answer = place.python(body)
    assert (answer.outcome, answer.recoverable, answer.retry_after_s, answer.error) == (
        outcome,
        recoverable,
        retry_after_s,
        error,
    )


def test_the_cause_of_a_failure_shows_the_users_own_code_only(place: Place) -> None:
    answer = place.python("raise ValueError('no')")
    (cause,) = answer.causes
    assert cause["type"] == "ValueError"
    assert "raise ValueError('no')" in cause["traceback"]
    assert "manager/operations" not in cause["traceback"]


def test_it_knows_how_often_it_was_tried(place: Place) -> None:
    answer = place.python("return [ctx.operation.retry_number, ctx.operation.max_retries]", attempt=2)
    assert answer.result == [2, 60]
