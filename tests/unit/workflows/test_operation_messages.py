"""The message and the answer are JSON, whoever says them, and whatever the user's code has said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from manager.operations.app import make_app, url_of
from manager.operations.message import Answer, Message, Outcome, agent_queue, task_id
from manager.operations.plain import plain, text
from manager.operations.settings import BrokerSettings

MESSAGE = {"id": "a", "attempt": 2, "context": {"task_name": "x.y"}, "kwargs": {"b": 1}}
ANSWER = {"id": "a", "attempt": 2, "outcome": "retry", "retry_after_s": 1.5}


@pytest.mark.parametrize(("kind", "said"), [(Message, MESSAGE), (Answer, ANSWER)])
def test_what_is_said_is_what_is_heard(kind: type[Message | Answer], said: dict[str, Any]) -> None:
    heard = kind.model_validate(json.loads(kind.model_validate(said).model_dump_json()))
    assert heard == kind.model_validate(said)
    assert {name: getattr(heard, name) for name in said} == said


def test_what_a_newer_program_says_beyond_this_is_ignored() -> None:
    assert Message.model_validate({**MESSAGE, "mood": "good"}) == Message.model_validate(MESSAGE)


@pytest.mark.parametrize(
    "wrong", [{"attempt": -1}, {"timeout_s": 0}, {"executor": "somebody"}, {"context": []}]
)
def test_a_message_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Message.model_validate({**MESSAGE, **wrong})


def test_one_attempt_has_one_task_id_however_often_it_is_sent() -> None:
    assert Message.model_validate(MESSAGE).task_id == task_id("a", 2) == "a.2"
    assert Message.model_validate({**MESSAGE, "attempt": 3}).task_id != "a.2"
    assert agent_queue("n") == "agent.n"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
        ({1: (2,)}, {"1": [2]}),
        (math.inf, "inf"),
        (Path("/x"), "/x"),
        ("a\0b\ud800", "a\N{REPLACEMENT CHARACTER}b?"),
        ({"a\0": "\0"}, {"a\N{REPLACEMENT CHARACTER}": "\N{REPLACEMENT CHARACTER}"}),
        (ValueError("no"), "no"),
    ],
)
def test_whatever_an_operation_returns_can_be_stored(value: Any, said: Any) -> None:
    assert plain(value) == said
    stored = Answer(id="a", attempt=0, outcome=Outcome.SUCCEEDED, result=plain(value)).model_dump_json()
    assert "\\u0000" not in stored
    json.loads(stored)


def test_text_is_as_the_database_takes_it() -> None:
    assert text("\0\udfff") == "\N{REPLACEMENT CHARACTER}?"


def test_an_application_is_made_without_a_broker_and_does_not_show_the_password() -> None:
    broker = BrokerSettings("192.0.2.1", 6379, "se/cret", Path("/ca.pem"))
    assert url_of(broker) == "rediss://:se%2Fcret@192.0.2.1:6379/0"
    assert "cret" not in repr(broker)
    app = make_app(broker, BrokerSettings("2001:db8::1", 6379, "s", Path("/ca.pem")))
    assert app.conf.broker_url == "rediss://:se%2Fcret@192.0.2.1:6379/0;rediss://:s@[2001:db8::1]:6379/0"
    assert (app.conf.task_acks_late, app.conf.accept_content) == (False, ["json"])
    assert app.conf.broker_use_ssl["ssl_ca_certs"] == "/ca.pem"
