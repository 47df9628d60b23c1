"""What is said about an operation: the message that starts it, and the answer when it has ended.

Both are JSON. A message goes to the queue ``operations`` (the manager) or ``agent.NAME`` (an agent), as the
one argument of the task ``operation``; every answer goes to the queue ``answers`` of the leader's broker.
Either may arrive twice: the operation's id and the number of the attempt tell.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]

TASK = "operation"
"""The name of the one task."""

OPERATIONS, ANSWERS = "operations", "answers"
"""The queue of what the manager runs, and that of all answers."""

MANAGER, AGENT = "manager", "agent"


def agent_queue(name: str) -> str:
    """The queue of one agent."""
    return f"agent.{name}"


MARK = "CFY_OPERATION"
"""The variable in an operation's environment, and in that of all that it starts, that has its ``task_id``."""


def task_id(identifier: str, attempt: int) -> str:
    """The id of the Celery task for one attempt at an operation: the same however often it is sent."""
    return f"{identifier}.{attempt}"


class Outcome(StrEnum):
    """How an attempt ended. ``RETRY``: the operation itself asks to be tried again.

    ``NOT_STARTED``: nothing of it has run, and nothing will, because it could not be stored that it starts.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRY = "retry"
    NOT_STARTED = "not_started"


class _Said(BaseModel):
    # What a newer program says beyond this is none of our business.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(_Said):  # type: ignore[no-redef]  # the plugin of pydantic wants the name kwargs for itself
    """Run this. ``attempt``: how often it has been tried before (``operations.retries``).

    ``context``: of ``cloudify.context.CloudifyContext``. ``kwargs``: the operation's inputs. ``timeout_s``:
    it is killed when it takes longer; whether it may be tried again then: ``timeout_recoverable``.
    ``refused``: how often this attempt was answered ``NOT_STARTED`` before; the answer repeats it.
    """

    id: str
    attempt: Annotated[int, Field(ge=0)]
    context: Json
    kwargs: Json = {}
    executor: Literal["manager", "agent"] = "manager"
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    timeout_recoverable: bool = False
    refused: int = 0

    @property
    def task_id(self) -> str:
        """The id of its Celery task."""
        return task_id(self.id, self.attempt)


class Answer(_Said):
    """What became of an attempt.

    ``recoverable``: of a failure: it may be tried again. ``retry_after_s``: when that was asked for.
    ``causes``: as ``events.error_causes`` (``message``, ``type``, ``traceback``). ``worker``: who ran it, for
    people. ``refused``: that of the message.
    """

    id: str
    attempt: int
    refused: int = 0
    outcome: Outcome
    result: Any = None
    error: str | None = None
    causes: list[Json] = []
    recoverable: bool = False
    retry_after_s: float | None = None
    worker: str = ""
