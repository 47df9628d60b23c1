"""Graphs of tasks as workflow functions build them, by the names that users of Cloudify know.

A graph is only a plan: nothing runs while it is built. What ``Graph.planned`` hands out is stored, and
carried out by the engine.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

from manager.workflows.model import Task, TaskType

Json = dict[str, Any]


class Container(Protocol):
    """What tasks can be added to: a graph, or a subgraph of one."""

    def add_task(self, task: WorkflowTask) -> WorkflowTask:
        """Add a task; nothing happens when it is there already."""

    def add_dependency(self, src_task: WorkflowTask, dst_task: WorkflowTask) -> None:
        """Let ``src_task`` wait for ``dst_task``."""

    def subgraph(self, name: str) -> Subgraph:
        """A new subgraph in it."""

    def sequence(self) -> Sequence:
        """A new sequence in it."""


class WorkflowTask:
    """One thing to be done. ``parameters``: by type, as ``manager.workflows.model`` says."""

    is_subgraph = False

    def __init__(self, kind: TaskType, name: str, parameters: Json | None = None) -> None:
        self.id = str(uuid.uuid4())
        self.type = kind
        self.name = name
        self.parameters: Json = {} if parameters is None else parameters
        self.containing_subgraph: Subgraph | None = None

    def __repr__(self) -> str:
        return f"<{self.type} {self.id}: {self.name}>"

    def is_nop(self) -> bool:
        """Whether it does nothing."""
        return self.type is TaskType.NOP

    @property
    def ignore_failure(self) -> bool:
        """Whether the graph goes on when this has failed for good."""
        return bool(self.parameters.get("ignore_failure", False))

    @ignore_failure.setter
    def ignore_failure(self, ignored: bool) -> None:
        self.parameters["ignore_failure"] = ignored

    @property
    def on_failure(self) -> None:
        """Handlers are functions of the workflow's process, and a graph outlives that: there are none."""
        return None  # mypy and readers want to see it

    @on_failure.setter
    def on_failure(self, handler: object) -> None:
        _refuse("on_failure", handler)

    @property
    def on_success(self) -> None:
        """As ``on_failure``."""
        return None  # the same

    @on_success.setter
    def on_success(self, handler: object) -> None:
        _refuse("on_success", handler)

    def planned(self, dependencies: Iterable[str]) -> Task:
        """As it is stored."""
        parent = self.containing_subgraph
        parameters = self.parameters | {"containing_subgraph": parent.id if parent else None}
        return Task(
            id=self.id,
            name=self.name,
            type=self.type,
            parameters=parameters,
            dependencies=frozenset(dependencies),
        )


def _refuse(what: str, handler: object) -> None:
    if handler is not None:
        raise NotImplementedError(
            f"A task's {what} cannot be set: a graph goes on when the process that built it is gone. "
            "Set task.ignore_failure = True to go on after a failure."
        )


class forkjoin:  # noqa: N801  # as users know it
    """Tasks of a sequence that run beside each other."""

    def __init__(self, *tasks: WorkflowTask) -> None:
        self.tasks = tasks


class Sequence:
    """Tasks that run one after the other."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._last: tuple[WorkflowTask, ...] = ()

    def add(self, *tasks: Any) -> None:
        """Add tasks at the end; those in a ``forkjoin`` all wait for what is before, and run together."""
        for item in tasks:
            # Cloudify's own forkjoin is as good as ours.
            together: tuple[WorkflowTask, ...] = (
                (item,) if isinstance(item, WorkflowTask) else tuple(item.tasks)
            )
            for task in together:
                self._container.add_task(task)
                for before in self._last:
                    self._container.add_dependency(task, before)
            self._last = together or self._last


class Subgraph(WorkflowTask):
    """Tasks with a name. It ends when they have; they begin when it may."""

    is_subgraph = True

    def __init__(self, graph: Graph, name: str) -> None:
        super().__init__(TaskType.SUBGRAPH, name)
        self.graph = graph
        self.tasks: dict[str, WorkflowTask] = {}

    def is_nop(self) -> bool:
        """Whether nothing in it does anything."""
        return self.type is TaskType.NOP or all(task.is_nop() for task in self.tasks.values())

    def add_task(self, task: WorkflowTask) -> WorkflowTask:
        """Add a task. Raises ``ValueError`` when it is in another subgraph."""
        if task.containing_subgraph not in {None, self}:
            raise ValueError(
                f"{task!r} is in {task.containing_subgraph!r}, and cannot be in {self!r} as well"
            )
        self.graph.add_task(task)
        self.tasks[task.id] = task
        task.containing_subgraph = self
        return task

    def remove_task(self, task: WorkflowTask) -> None:
        """Take a task out of the graph."""
        self.graph.remove_task(task)

    def add_dependency(self, src_task: WorkflowTask, dst_task: WorkflowTask) -> None:
        """Let ``src_task`` wait for ``dst_task``."""
        self.graph.add_dependency(src_task, dst_task)

    def subgraph(self, name: str) -> Subgraph:
        """A new subgraph in this one."""
        subgraph = Subgraph(self.graph, name)
        self.add_task(subgraph)
        return subgraph

    def sequence(self) -> Sequence:
        """A new sequence in this one."""
        return Sequence(self)


class Graph:
    """Tasks, and which of them wait for which. They keep the order in which they were added.

    ``stored``: what is in the database under this name already, when an execution is resumed: then the engine
    goes on with that, and nothing is to be added.
    """

    def __init__(self, name: str, stored: tuple[Task, ...] | None = None) -> None:
        self.name = name
        self.stored = stored
        self._tasks: dict[str, WorkflowTask] = {}
        self._dependencies: dict[str, set[str]] = {}
        self._dependents: dict[str, set[str]] = {}

    @property
    def restored(self) -> bool:
        """Whether it is in the database already."""
        return self.stored is not None

    @property
    def tasks(self) -> list[WorkflowTask]:
        """All that were added."""
        return list(self._tasks.values())

    def tasks_iter(self) -> Iterator[WorkflowTask]:
        """All that were added."""
        return iter(self.tasks)

    def get_task(self, task_id: str) -> WorkflowTask | None:
        """A task by its id."""
        return self._tasks.get(task_id)

    def add_task(self, task: WorkflowTask) -> WorkflowTask:
        """Add a task; nothing happens when it is there already."""
        if task.id not in self._tasks:
            self._tasks[task.id] = task
            self._dependencies[task.id] = set()
            self._dependents[task.id] = set()
        return task

    def add_dependency(self, src_task: WorkflowTask, dst_task: WorkflowTask) -> None:
        """Let ``src_task`` wait for ``dst_task``. Raises ``ValueError`` for a task that is not there."""
        for task in (src_task, dst_task):
            if task.id not in self._tasks:
                raise ValueError(f"{task!r} is not in the graph {self.name}: add it with add_task first")
        if src_task is not dst_task:
            self._dependencies[src_task.id].add(dst_task.id)
            self._dependents[dst_task.id].add(src_task.id)

    def remove_task(self, task: WorkflowTask) -> None:
        """Take a task out, a subgraph with all that is in it; nothing waits for it any more."""
        if isinstance(task, Subgraph):
            for child in list(task.tasks.values()):
                self.remove_task(child)
        if self._tasks.pop(task.id, None) is None:
            return
        if task.containing_subgraph:
            task.containing_subgraph.tasks.pop(task.id, None)
        for before in self._dependencies.pop(task.id):
            self._dependents[before].discard(task.id)
        for after in self._dependents.pop(task.id):
            self._dependencies[after].discard(task.id)

    def subgraph(self, name: str) -> Subgraph:
        """A new subgraph."""
        subgraph = Subgraph(self, name)
        self.add_task(subgraph)
        return subgraph

    def sequence(self) -> Sequence:
        """A new sequence."""
        return Sequence(self)

    def planned(self) -> tuple[Task, ...]:
        """The tasks as they are stored, without those that do nothing."""
        self._leave_out_idle()
        return tuple(task.planned(self._dependencies[task.id]) for task in self._tasks.values())

    def check_order(self) -> None:
        """Raise ``ValueError`` when tasks wait for each other in a circle: they would for ever.

        A task waits for the end of what it depends on, and a subgraph ends when what is in it has.
        """
        waits: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for task in self._tasks.values():
            parent = task.containing_subgraph
            begins = [("end", name) for name in self._dependencies[task.id]]
            waits["begin", task.id] = [*begins, *([("begin", parent.id)] if parent else [])]
            children = task.tasks if isinstance(task, Subgraph) else ()
            waits["end", task.id] = [("begin", task.id), *(("end", name) for name in children)]
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            circle = dict.fromkeys(repr(self._tasks[name]) for _, name in error.args[1])
            raise ValueError(f"Tasks wait for each other: {', '.join(circle)}") from error

    def _leave_out_idle(self) -> None:
        for task in self.tasks:
            if task.id not in self._tasks or not task.is_nop():
                continue
            before, after = set(self._dependencies[task.id]), set(self._dependents[task.id])
            if len(before) * len(after) > len(before) + len(after):
                # Many wait for many: through one task in between they need fewer dependencies.
                self._empty(task)
                continue
            self.remove_task(task)
            for waiting in after & self._tasks.keys():
                for awaited in before & self._tasks.keys():
                    self._dependencies[waiting].add(awaited)
                    self._dependents[awaited].add(waiting)

    def _empty(self, task: WorkflowTask) -> None:
        if isinstance(task, Subgraph):
            for child in list(task.tasks.values()):
                self.remove_task(child)
        task.type = TaskType.NOP
