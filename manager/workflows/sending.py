"""Sends operations to whoever carries them out, and ends them.

What is sent in one turn is one command to the broker. Celery's own way takes ten times as long for each
message, and a round trip; its messages are made here as its transport makes them (kombu's virtual transport
for Redis: a list for each queue; the envelope of ``kombu.transport.virtual.Channel.prepare_message``).
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis
from celery import Celery

from manager.operations.killing import kill
from manager.operations.message import OPERATIONS, TASK, Message, agent_queue, task_id
from manager.workflows.model import Task
from manager.workflows.same_broker import SameBroker

MakeToken = Callable[[str, str], str]

AT_ONCE = 500
"""Messages in one command."""

EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""What Celery adds to the arguments of a task from which nothing follows."""


def message_of(task: Task, tokens: MakeToken | None = None) -> Message:
    """What is sent for an attempt at an operation. An agent's has a token, with which it asks over REST."""
    parameters = task.parameters
    context = dict(parameters["context"])
    if task.on_agent and tokens is not None:
        context["execution_token"] = tokens(context["execution_id"], context["tenant"]["name"])
    context["operation"] = {**context.get("operation", {}), "retry_number": task.retries}
    return Message(
        id=task.id,
        attempt=task.retries,
        context={**context, "task_id": task.id},
        kwargs=parameters.get("kwargs") or {},
        executor=parameters.get("executor") or "manager",
        timeout_s=parameters.get("timeout_s"),
        timeout_recoverable=bool(parameters.get("timeout_recoverable")),
        refused=task.refused,
    )


def broker_of(app: Celery) -> redis.Redis:
    """The application's broker as a Redis, for what Celery does not do. It connects when it is first used.

    From then on it is this one, or none: what another one says would be taken for what became of what this
    one was given.
    """
    options = app.conf.broker_transport_options
    timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    found: redis.Redis = redis.Redis.from_url(
        app.conf.broker_url,
        **timeouts,
        **(app.conf.broker_use_ssl or {}),
        redis_connect_func=SameBroker().connected,
    )
    return found


class Sender:
    """Sends through one connection. Raises ``redis.RedisError`` when the broker cannot be reached."""

    def __init__(self, app: Celery, tokens: MakeToken | None = None) -> None:
        """``tokens``: makes those with which agents ask; gets an execution's id, and its tenant's name."""
        self._app = app
        self._tokens = tokens
        self.broker = broker_of(app)
        made = app.amqp.create_task_message("", TASK, args=(), kwargs={}, argsrepr="", kwargsrepr="")
        self._headers: dict[str, Any] = {**made.headers, "ignore_result": True}

    def send(self, tasks: Sequence[Task]) -> None:
        """Send each of them once, in this order."""
        queues: dict[str, list[str]] = {}
        for task in tasks:
            queue = agent_queue(task.parameters["agent"]) if task.on_agent else OPERATIONS
            queues.setdefault(queue, []).append(self._envelope(message_of(task, self._tokens), queue))
        for queue, envelopes in queues.items():
            for first in range(0, len(envelopes), AT_ONCE):
                self.broker.lpush(queue, *envelopes[first : first + AT_ONCE])

    def agent_has_messages(self, task: Task) -> bool:
        """Whether the agent that a task is for has messages that it did not fetch yet."""
        return bool(self.broker.llen(agent_queue(task.parameters["agent"])))

    def operations_wait(self) -> bool:
        """Whether there are messages that this manager's worker did not fetch yet."""
        return bool(self.broker.llen(OPERATIONS))

    def kill(self, tasks: Iterable[Task]) -> None:
        """Have those ended that run, or wait to: on this manager, or on an agent that hears it."""
        kill(self._app, [task_id(task.id, task.retries) for task in tasks])

    def _envelope(self, message: Message, queue: str) -> str:
        name = message.task_id
        body = json.dumps([[message.model_dump(mode="json")], {}, EMBEDDED]).encode()
        return json.dumps(
            {
                "body": base64.b64encode(body).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {**self._headers, "id": name, "root_id": name},
                "properties": {
                    "correlation_id": name,
                    "reply_to": "",
                    "delivery_mode": 2,
                    "delivery_info": {"exchange": "", "routing_key": queue},
                    "priority": 0,
                    "body_encoding": "base64",
                    "delivery_tag": uuid.uuid4().hex,
                },
            }
        )
