"""A graph that was spoilt over REST is noticed before the one engine stumbles over it."""

from __future__ import annotations

import pytest

from manager.workflows.model import OperationState, Task, TaskType
from manager.workflows.soundness import Unsound, check

CONTEXT = {"execution_id": "e", "tenant": {"name": "t"}}
GROUP = Task("g", "group", TaskType.SUBGRAPH)


def task(kind: TaskType, **parameters: object) -> Task:
    return Task("a", "create", kind, parameters)


@pytest.mark.parametrize(
    "tasks",
    [
        [task(TaskType.REMOTE, context=CONTEXT)],
        [task(TaskType.NOP)],
        [GROUP, task(TaskType.NOP, containing_subgraph="g")],
        [task(TaskType.SET_STATE, node_instance_id="i", state="started")],
        [Task("a", "done", TaskType.REMOTE, state=OperationState.SUCCEEDED)],
    ],
)
def test_what_can_be_carried_out(tasks):
    check(tasks, "e")


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ([task(TaskType.REMOTE)], "cannot be sent"),
        ([task(TaskType.REMOTE, context="none")], "cannot be sent"),
        ([task(TaskType.REMOTE, context=CONTEXT, kwargs=[1])], "cannot be sent"),
        ([task(TaskType.REMOTE, context=CONTEXT, executor="a friend")], "cannot be sent"),
        ([task(TaskType.REMOTE, context={**CONTEXT, "execution_id": "another"})], "another execution"),
        ([task(TaskType.SET_STATE, state="started")], "lacks node_instance_id"),
        ([task(TaskType.WORKFLOW_EVENT)], "lacks event"),
        ([task(TaskType.NOP, containing_subgraph="g")], "subgraph that is not there"),
        ([task(TaskType.NOP, containing_subgraph="a")], "subgraph that is not there"),
    ],
)
def test_what_nobody_can_carry_out(tasks, why):
    with pytest.raises(Unsound, match=why):
        check(tasks, "e")
