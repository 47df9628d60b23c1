"""The nouns of the engine: what a task is, in which states it can be, and what may become of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

ENGINES = 4
"""The class of the advisory locks that engines hold (1: events, 2: maintenance, 3: snapshots).

``take_up_executions`` of the database looks for them: see migration 0003.
"""

CHANNEL = "executions"
"""Notifications of PostgreSQL on it say that executions, or graphs, want to be looked at."""

FROM_ENGINE = "engine"
"""The payload of the engine's own, for processes that wait for their graphs."""


class OperationState(StrEnum):
    """How far a task has come (column ``operations.state``). A task that is *under way* has been sent."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    STARTED = "started"
    RESCHEDULED = "rescheduled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


UNDER_WAY = frozenset({OperationState.SENDING, OperationState.SENT, OperationState.STARTED})
ENDED = frozenset({OperationState.SUCCEEDED, OperationState.FAILED})


class TaskType(StrEnum):
    """What a task is, as Cloudify calls it. All but the first two are done by the engine itself.

    REMOTE: an operation; its ``parameters`` are ``executor``, ``agent``, ``context``, ``kwargs``,
    ``max_retries`` (-1: for ever), ``retry_interval_s``, ``timeout_s``, ``timeout_recoverable``,
    ``until_true`` (try again, however often, until the result is true) and ``send_task_events``.
    SUBGRAPH: begins when it may, and ends when the tasks whose ``containing_subgraph`` it is have ended.
    SET_STATE: ``node_instance_id``, ``state``. NODE_EVENT: ``node_instance_id``, ``event``,
    ``additional_context``. WORKFLOW_EVENT: ``event``, ``event_type``, ``event_args``,
    ``additional_context``. UPDATE_INSTANCES: see ``updating``. All have ``containing_subgraph`` and
    ``ignore_failure``.
    """

    REMOTE = "RemoteTask"
    SUBGRAPH = "SubgraphTask"
    NOP = "NOPLocalWorkflowTask"
    SET_STATE = "SetNodeInstanceStateTask"
    NODE_EVENT = "SendNodeEventTask"
    WORKFLOW_EVENT = "SendWorkflowEventTask"
    UPDATE_INSTANCES = "UpdateInstancesTask"


class GraphState(StrEnum):
    """What became of a graph (column ``tasks_graphs.state``). ``BUILDING``: nobody carries it out yet."""

    BUILDING = "building"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a graph. ``dependencies``: the ids of those that have to be done before.

    ``retries``: how often it has been tried before; with the id it names an attempt. ``resumable``: whether
    an attempt that was interrupted may be repeated; None: no attempt has begun. ``due_s``: when a
    rescheduled one may be tried again, on the engine's clock. ``refused``: how often this attempt could not
    begin; known to the engine alone, with which its worker ends.
    """

    id: str
    name: str
    type: TaskType
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dependencies: frozenset[str] = frozenset()
    state: OperationState = OperationState.PENDING
    retries: int = 0
    resumable: bool | None = None
    due_s: float = 0.0
    result: Any = None
    error: str | None = None
    refused: int = 0

    @property
    def ended(self) -> bool:
        """Whether it is done, well or not."""
        return self.state in ENDED

    @property
    def under_way(self) -> bool:
        """Whether somebody may be carrying it out."""
        return self.type is TaskType.REMOTE and self.state in UNDER_WAY

    @property
    def on_agent(self) -> bool:
        """Whether an agent carries it out, rather than this manager."""
        return self.parameters.get("executor") == "agent"

    @property
    def ignores_failure(self) -> bool:
        """Whether the graph goes on when it has failed."""
        return bool(self.parameters.get("ignore_failure"))

    @property
    def parent(self) -> str | None:
        """The id of the subgraph that it is in."""
        return self.parameters.get("containing_subgraph")


class GraphFailed(Exception):
    """A graph has failed: raised where a workflow function waits for it. The text says why."""
