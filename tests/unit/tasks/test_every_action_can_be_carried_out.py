"""Deciders and executors are checked against each other: no action without its effect and its task."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.act import PERFORMERS
from orchestrator.model.action import Action, Follow, Promote
from orchestrator.model.file_actions import BESIDE
from orchestrator.model.lsn import Fork, Lsn
from orchestrator.model.snapshot import SyncSetting
from tasks.actions import TASKS, signature_of
from tasks.app import app

ACTIONS = get_args(Action)


@pytest.mark.parametrize("kind", ACTIONS, ids=lambda kind: kind.__name__)
def test_every_action_has_an_effect_and_a_task(kind):
    assert kind in PERFORMERS
    name, limit_s = TASKS[kind]
    queue = "files" if issubclass(kind, BESIDE) else "cluster"
    assert app.amqp.router.route({}, name)["queue"].name == queue
    assert app.tasks[name].time_limit == limit_s


def test_a_tick_never_waits_behind_work():
    assert app.amqp.router.route({}, "tick")["queue"].name == "health"


def test_nothing_else_has_a_task():
    assert set(TASKS) == set(PERFORMERS) == set(ACTIONS)


@pytest.mark.parametrize(
    "action",
    [
        Promote(3, SyncSetting(1, frozenset({"n2", "n3"})), "n1"),
        Follow("n2", "127.0.0.2", 15432, 4, 99, 2, (Fork(1, Lsn.parse("0/16B3748")),)),
    ],
    ids=lambda action: type(action).__name__,
)
def test_an_action_survives_its_journey_through_the_broker(action, monkeypatch):
    carried_out = []
    monkeypatch.setattr("tasks.actions._perform", carried_out.append)
    signature = signature_of(action)
    app.tasks[signature.task](*app.backend.decode(app.backend.encode(list(signature.args))))
    assert carried_out == [action]
