"""An agent is given a token with each operation; the manager's own operations need none."""

from __future__ import annotations

import pytest

from manager.workflows.model import Task, TaskType
from manager.workflows.sending import message_of


@pytest.mark.parametrize(("executor", "token"), [("agent", "for e in t"), ("manager", None)])
def test_who_gets_a_token(executor: str, token: str | None):
    context = {"execution_id": "e", "tenant": {"name": "t"}, "operation": {"name": "create"}}
    task = Task("o", "create", TaskType.REMOTE, {"executor": executor, "agent": "host_1", "context": context})
    message = message_of(task, lambda execution, tenant: f"for {execution} in {tenant}")
    assert message.context.get("execution_token") == token
    assert "execution_token" not in context
