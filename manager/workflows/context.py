"""What a workflow function is given: its deployment, and the means to build graphs of tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from manager.events import Line
from manager.workflows.building import Graph, WorkflowTask
from manager.workflows.model import TaskType
from manager.workflows.reading import Retrying, Source
from manager.workflows.topology import Topology, WorkflowNode, WorkflowNodeInstance

Json = dict[str, Any]

Say = Callable[[Line], None]
"""Where log lines of the workflow go."""


class WorkflowContext:
    """Of one execution. Nothing that it hands out changes the database by itself: tasks do, when they run."""

    def __init__(self, source: Source, say: Say, retrying: Retrying | None = None) -> None:
        self.retrying = retrying or Retrying()
        self._say = say
        self.logger = self.make_logger()
        self._source = source
        facts = source.facts()
        self.execution_id = facts.execution_id
        self.workflow_id = facts.workflow_id
        self.tenant_name = facts.tenant_name
        self.execution_creator_username = facts.creator
        self.dry_run = facts.dry_run
        self.resume = facts.resume
        self.wait_after_fail = facts.wait_after_fail
        self.blueprint = facts.blueprint
        self.deployment = facts.deployment
        self._topology = Topology(self, source.nodes_and_instances())

    @property
    def names(self) -> Json:
        """What every operation of this execution is told."""
        return {
            "execution_id": self.execution_id,
            "workflow_id": self.workflow_id,
            "deployment_id": self.deployment.id,
            "blueprint_id": self.blueprint.id,
            "tenant": {"name": self.tenant_name},
        }

    @property
    def tenant(self) -> Json:
        """The tenant's name."""
        return {"name": self.tenant_name}

    @property
    def nodes(self) -> Iterator[WorkflowNode]:
        """All nodes."""
        return iter(self._topology.nodes.values())

    @property
    def node_instances(self) -> Iterator[WorkflowNodeInstance]:
        """All instances of all nodes."""
        return iter(self._topology.instances.values())

    def get_node(self, node_id: str) -> WorkflowNode | None:
        """A node by its id."""
        return self._topology.nodes.get(node_id)

    def get_node_instance(self, node_instance_id: str) -> WorkflowNodeInstance | None:
        """An instance by its id."""
        return self._topology.instances.get(node_instance_id)

    def refresh_node_instances(self) -> None:
        """Read nodes and instances anew: operations may have changed them."""
        self._topology = Topology(self, self._source.nodes_and_instances())

    def graph(self, name: str) -> Graph:
        """A new graph of that name; on a resume the stored one, if there is one already."""
        return Graph(name, self._source.graph(name) if self.resume else None)

    def taken(self, ids: Collection[str]) -> set[str]:
        """Which of these ids some instance of the tenant has."""
        return self._source.taken(ids)

    def send_event(
        self,
        event: str,
        event_type: str = "workflow_stage",
        args: Json | None = None,
        additional_context: Json | None = None,
    ) -> Any:
        """A task that tells people what happens."""
        told = {"event": event, "event_type": event_type, "event_args": args}
        return self.engine_task(TaskType.WORKFLOW_EVENT, {**told, "additional_context": additional_context})

    def engine_task(self, kind: TaskType, parameters: Json) -> Any:
        """A task that the engine does by itself."""
        return self.process(WorkflowTask(kind, kind.value, parameters))

    def make_logger(
        self, *, node_name: str | None = None, node_instance_id: str | None = None
    ) -> logging.Logger:
        """A logger for this execution, or for an instance in it."""
        line = partial(Line, node_name=node_name, node_instance_id=node_instance_id)
        logger = logging.Logger("workflow", logging.DEBUG)  # noqa: LOG001  # others are kept for ever
        logger.addHandler(_ToExecution(self._say, line))
        return logger

    def process(self, task: WorkflowTask) -> Any:
        """What the workflow function is given for a task that was made: the task itself, for a graph."""
        return task


class _ToExecution(logging.Handler):
    """Log lines of a workflow, for those who read the execution's."""

    def __init__(self, say: Say, line: Callable[..., Line]) -> None:
        super().__init__()
        self._say, self._line = say, line

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. An error is a matter of the workflow's."""
        self._say(self._line(self.format(record), level=record.levelname.lower()))
