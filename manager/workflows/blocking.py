"""The context of a workflow that comes with a blueprint: its function waits for what it asks for.

The graphs are carried out by the engine all the same. This process stores them, and looks what becomes of
them; without ``graph_mode`` each task is a graph of its own. Graphs are named in the order in which they are
made, so that a function that is called again on a resume finds what it had done before.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol

from cloudify.workflows import api

from manager.workflows.building import Graph, WorkflowTask
from manager.workflows.context import Say, WorkflowContext
from manager.workflows.model import GraphFailed, GraphState, Task
from manager.workflows.reading import Retrying, Source

Json = dict[str, Any]

LOOK_EVERY_S = 0.25
"""The engine says at once when a graph has ended; this is for what it could not say."""


class Graphs(Protocol):
    """The graphs of this execution, in the database."""

    def save(self, name: str, tasks: tuple[Task, ...]) -> None:
        """Store a graph, for the engine to carry out; nothing happens when there is one of that name."""

    def revive(self, name: str) -> None:
        """Have a stored graph carried out further, unless it has succeeded."""

    def state(self, name: str) -> tuple[GraphState, str | None]:
        """How far it is, and, when it has failed, why."""

    def result(self, task_id: str) -> Any:
        """What an operation has returned."""

    def wait(self, timeout_s: float) -> None:
        """Until something may have changed."""


class BlockingContext(WorkflowContext):
    """As users know it from Cloudify."""

    local = False

    def __init__(
        self,
        source: Source,
        say: Say,
        retrying: Retrying,
        graphs: Graphs,
        content: Path,
    ) -> None:
        super().__init__(source, say, retrying)
        self._graphs = graphs
        self._content = content
        self._graph_mode = False
        self._graph = BlockingGraph(self)
        self._count = 0
        self._begun: list[str] = []

    def graph_mode(self) -> BlockingGraph:
        """From now on tasks are not run, but handed out: add them to this graph, and execute it."""
        self._graph_mode = True
        return self._graph

    def process(self, task: WorkflowTask) -> Any:
        """The task, or what becomes of it."""
        if self._graph_mode:
            return task
        if task.is_nop():
            return Result(self, None, task.id)
        graph = Graph(self.next_name(task.name))
        graph.add_task(task)
        (planned,) = graph.planned()
        return Result(self, graph.name, self.start(graph.name, (planned,))[0].id)

    def next_name(self, name: str) -> str:
        """The name of one more graph."""
        self._count += 1
        return f"{self._count:04d} {name}"

    def start(self, name: str, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        """Have tasks carried out, unless they have been already: those that are stored by this name."""
        stored = self.graph(name).stored
        self._begun.append(name)
        if stored is None:
            self._graphs.save(name, tasks)
            return tasks
        if sorted(map(_kind, stored)) != sorted(map(_kind, tasks)):
            raise RuntimeError(
                f"The workflow takes another way than before it was interrupted, at its graph `{name}`: a "
                "resumable workflow has to make the same graphs whenever it is called."
            )
        self._graphs.revive(name)
        return stored

    def finish(self, name: str) -> None:
        """Wait for the end of a graph. Raises ``GraphFailed`` and ``api.ExecutionCancelled``."""
        while True:
            state, error = self._graphs.state(name)
            if state is GraphState.SUCCEEDED:
                return
            if state is GraphState.FAILED:
                raise GraphFailed(error or f"The graph {name} has failed.")
            if state is GraphState.CANCELLED:
                raise api.ExecutionCancelled
            self._graphs.wait(LOOK_EVERY_S)

    def finish_all(self) -> None:
        """Wait for whatever nobody has waited for."""
        for name in self._begun:
            self.finish(name)

    def result(self, task_id: str) -> Any:
        """What an operation has returned."""
        return self._graphs.result(task_id)

    def has_cancel_request(self) -> bool:
        """Whether somebody wants this execution to end."""
        return bool(api.has_cancel_request())

    def download_resource(self, resource_path: str, target_path: str | None = None) -> str:
        """A copy of a file of the blueprint's archive; its path. Raises ``FileNotFoundError``."""
        source = (self._content / resource_path).resolve()
        if not source.is_relative_to(self._content.resolve()) or not source.is_file():
            raise FileNotFoundError(f"{resource_path} is not in the blueprint's archive")
        target = target_path or str(Path(tempfile.mkdtemp()) / source.name)
        shutil.copyfile(source, target)
        return target

    def get_resource(self, resource_path: str) -> bytes:
        """What is in a file of the blueprint's archive. Raises ``FileNotFoundError``."""
        return Path(self.download_resource(resource_path)).read_bytes()


class BlockingGraph(Graph):
    """The graph of ``graph_mode``: filled, executed, and empty again."""

    def __init__(self, ctx: BlockingContext) -> None:
        super().__init__("")
        self._ctx = ctx

    def store(self, name: str, **_: Any) -> None:
        """Give it a name of its own."""
        self.name = name

    def execute(self) -> None:
        """Have it carried out, and wait.

        Raises ``GraphFailed``, ``api.ExecutionCancelled``, and ``ValueError`` (see ``check_order``).
        """
        name = self.name or self._ctx.next_name("graph")
        self.check_order()
        tasks = self.planned()
        for task in self.tasks:
            self.remove_task(task)
        self.name = ""
        self._ctx.start(name, tasks)
        self._ctx.finish(name)


class Result:
    """What becomes of one task outside of a graph."""

    def __init__(self, ctx: BlockingContext, graph: str | None, task_id: str) -> None:
        self._ctx, self._graph, self._task_id = ctx, graph, task_id

    def get(self, **_: Any) -> Any:
        """Wait for it; what it returned. Raises ``GraphFailed`` and ``api.ExecutionCancelled``."""
        if self._graph is None:
            return None
        self._ctx.finish(self._graph)
        return self._ctx.result(self._task_id)


def _kind(task: Task) -> tuple[str, str, str, str]:
    """What a task does, and to what: the same whenever it is made."""
    context = task.parameters.get("context", {})
    target = context.get("node_id") or task.parameters.get("node_instance_id") or ""
    return task.type, task.name, context.get("operation", {}).get("name", ""), target
