"""What arrives in the queue of answers, whatever it is."""

from __future__ import annotations

import base64
import json

import pytest

from manager.operations.message import Answer, Outcome
from manager.workflows.answers import MAX_CHARACTERS, read


def raw(told, **envelope):
    body = base64.b64encode(json.dumps(told).encode()).decode()
    return json.dumps({"body": body, **envelope}).encode()


def test_an_answer_is_read():
    told = {"id": "a", "attempt": 1, "outcome": "succeeded", "result": {"size": 3}}
    assert read(raw(told)) == Answer(id="a", attempt=1, outcome=Outcome.SUCCEEDED, result={"size": 3})


@pytest.mark.parametrize("text", ["a\0b", "half a \ud83d"])
def test_what_the_database_cannot_store_is_replaced(text):
    answer = read(raw({"id": "a", "attempt": 0, "outcome": "succeeded", "result": {text: [text]}}))
    ((key, (value,)),) = answer.result.items()
    assert "\0" not in key + value
    (key + value).encode()


def test_one_that_is_too_large_is_a_failure_that_says_so():
    told = {"id": "a", "attempt": 2, "outcome": "succeeded", "result": "x" * MAX_CHARACTERS}
    answer = read(raw(told))
    assert (answer.id, answer.attempt, answer.outcome) == ("a", 2, Outcome.FAILED)
    assert not answer.recoverable
    assert answer.error == "Its answer is larger than 1 MiB."


def test_one_that_makes_no_sense_is_a_failure_of_its_operation():
    answer = read(raw({"id": "a", "attempt": 0, "outcome": "perhaps"}))
    assert (answer.id, answer.outcome, answer.recoverable) == ("a", Outcome.FAILED, False)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"body": 3}',
        raw([]),
        raw({"attempt": 0}),
        raw({"id": "a", "attempt": None}),
    ],
)
def test_what_is_no_answer_is_dropped(message):
    assert read(message) is None
