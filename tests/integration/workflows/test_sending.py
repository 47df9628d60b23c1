"""What the engine writes into the broker is what Celery would have written."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from manager.gateway.operations import operations_settings_of
from manager.operations.app import make_app
from manager.operations.message import OPERATIONS, TASK
from manager.workflows.model import Task, TaskType
from manager.workflows.sending import Sender, broker_of, message_of
from tests.support.mgmtworker import Workshop, workshop

pytestmark = pytest.mark.integration

CONTEXT = {"operation": {"name": "create"}, "tenant": {"name": "t"}}
TASKS = [
    Task("a", "x.create", TaskType.REMOTE, {"context": CONTEXT, "kwargs": {"size": "ü"}}, retries=2),
    Task("b", "x.create", TaskType.REMOTE, {"context": CONTEXT, "executor": "agent", "agent": "n1"}),
]


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.mark.parametrize(("task", "queue"), [(TASKS[0], OPERATIONS), (TASKS[1], "agent.n1")])
def test_it_is_the_same_message_in_the_same_queue(built: Workshop, task: Task, queue: str) -> None:
    app = make_app(operations_settings_of(built.node.config).broker)
    message = message_of(task)
    Sender(app).send([task])
    app.send_task(
        TASK, args=[message.model_dump(mode="json")], task_id=message.task_id, queue=queue, ignore_result=True
    )
    with broker_of(app) as broker:
        theirs, ours = map(json.loads, broker.lrange(queue, 0, -1))
        broker.delete(queue)
    assert content(ours) == content(theirs)


def content(envelope: dict[str, Any]) -> dict[str, Any]:
    """But for what is different in every message, and what is for people."""
    envelope["body"] = json.loads(base64.b64decode(envelope["body"]))
    for name in ("argsrepr", "kwargsrepr", "origin"):
        del envelope["headers"][name]
    for name in ("delivery_tag", "reply_to"):
        del envelope["properties"][name]
    return envelope
