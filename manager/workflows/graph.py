"""The rules by which a graph is carried out. Pure: time is data, and nothing is done here.

Tasks are values; a graph replaces them and remembers which have changed, for whoever stores them. Whatever
it hands out to be sent is stored as ``sending`` first. A task is *settled* when those that wait for it may
begin: it has succeeded, or has failed where that is ignored.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from manager.operations.message import Answer, Outcome
from manager.workflows.model import GraphState, OperationState, Task, TaskType

FOR_EVER = -1
NOT_STARTED_INTERVAL_S = 1.0
"""Longer than none: what was answered is removed from the broker before the same attempt is sent again."""

NOT_RESUMABLE = (
    "Cannot resume - operation not resumable: {}. It had begun when the manager that ran it was lost, and "
    "nobody knows how far it came."
)
_TO_BEGIN = frozenset({OperationState.PENDING, OperationState.RESCHEDULED})


@dataclass(slots=True)
class Advance:
    """What is to be done now: operations to be sent, and tasks that the engine does itself, as stored."""

    sent: list[Task] = field(default_factory=list)
    done: list[Task] = field(default_factory=list)


class Graph:
    """The tasks of one graph, and how far they have come."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.failure: Task | None = None
        self._changed: dict[str, Task] = {}
        self._children: dict[str, list[str]] = defaultdict(list)
        self._dependents: dict[str, list[str]] = defaultdict(list)
        self._waiting: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._ready: deque[str] = deque()
        self._rescheduled: dict[str, float] = {}
        self._under_way = sum(task.under_way for task in self.tasks.values())
        self._finished = sum(_is_finished(task) for task in self.tasks.values())
        self._count()

    def _count(self) -> None:
        """Work out, from the tasks alone, what each of them still waits for."""
        settled = {task.id for task in self.tasks.values() if self._is_settled(task)}
        for task in self.tasks.values():
            missing = [name for name in task.dependencies if name in self.tasks and name not in settled]
            for name in missing:
                self._dependents[name].append(task.id)
            self._waiting[task.id] = len(missing)
            if task.parent:
                self._children[task.parent].append(task.id)
                if self.tasks[task.parent].state is OperationState.PENDING:
                    self._waiting[task.id] += 1
        for name, children in self._children.items():
            self._open[name] = sum(child not in settled for child in children)
        for task in self.tasks.values():
            self._classify(task)

    def _classify(self, task: Task) -> None:
        if task.state is OperationState.FAILED and not self._is_settled(task) and not self._abandoned(task):
            self.failure = self.failure or task
        elif task.state is OperationState.RESCHEDULED:
            self._rescheduled[task.id] = task.due_s
        elif task.type is TaskType.SUBGRAPH and task.state is OperationState.STARTED:
            self._close_if_empty(task.id)
        elif task.state is OperationState.PENDING and not self._waiting[task.id]:
            self._ready.append(task.id)

    @property
    def under_way(self) -> int:
        """How many operations somebody may be carrying out."""
        return self._under_way

    @property
    def finished(self) -> int:
        """How many operations have ended, well or not."""
        return self._finished

    @property
    def running(self) -> Iterator[Task]:
        """Those operations."""
        return (task for task in self.tasks.values() if task.under_way)

    @property
    def next_due_s(self) -> float | None:
        """When the next rescheduled operation may be tried again."""
        return min(self._rescheduled.values(), default=None)

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return not (self._ready or self._rescheduled or self._under_way)

    def outcome(self, *, cancelled: bool = False) -> GraphState | None:
        """What became of it; None while operations are under way, or may be begun."""
        if self._under_way:
            return None
        if self.failure is not None:
            return GraphState.FAILED
        if self.complete:
            return GraphState.FAILED if self._stuck() else GraphState.SUCCEEDED
        return GraphState.CANCELLED if cancelled else None

    def changes(self) -> list[Task]:
        """Tasks that have changed since this was asked last, as they are to be stored."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def resume(self, alive: Container[str] = ()) -> list[Task]:
        """Go on after the engine that carried this out has died, or after its execution had ended.

        What had not begun is sent again. What the manager was doing runs again if that is allowed, else it
        has failed; unless its process lives (``alive``: ids of such operations), then it is waited for. What
        an agent does goes on: the engine asks for it again, under the same number, for the agent knows it.
        Returns what has failed by that.
        """
        lost = []
        for task in list(self.running):
            if task.on_agent or (task.state is OperationState.STARTED and task.id in alive):
                continue
            if task.state is OperationState.STARTED and not task.resumable:
                error = NOT_RESUMABLE.format(task.name)
                lost.append(self._fail(replace(task, state=OperationState.FAILED, error=error)))
            else:
                self._put(replace(task, state=OperationState.PENDING))
                self._ready.append(task.id)
        for name in self._rescheduled:
            self._rescheduled[name] = 0.0
        return lost

    def kill(self, error: str) -> None:
        """Whatever is under way has failed: it is ended by force."""
        for task in list(self.running):
            self._fail(replace(task, state=OperationState.FAILED, error=error))

    def advance(self, now_s: float, *, dry_run: bool = False) -> Advance:
        """Begin whatever may be begun. Nothing may, once something has failed."""
        step = Advance()
        for name in [name for name, due_s in self._rescheduled.items() if due_s <= now_s]:
            del self._rescheduled[name]
            self._ready.append(name)
        while self._ready and self.failure is None:
            task = self.tasks[self._ready.popleft()]
            if task.state not in _TO_BEGIN or self._abandoned(task):
                continue
            if task.type is TaskType.SUBGRAPH:
                self._open_subgraph(task)
            elif task.type is TaskType.REMOTE and not dry_run:
                step.sent.append(self._put(replace(task, state=OperationState.SENDING)))
            else:
                step.done.append(self._put(replace(task, state=OperationState.SUCCEEDED)))
                self._settle(task.id)
        return step

    def answer(self, answer: Answer, now_s: float) -> Task | None:
        """Take what became of an attempt; None: that is known already, or was another attempt."""
        task = self.tasks.get(answer.id)
        if task is None or not task.under_way or task.retries != answer.attempt:
            return None
        if answer.outcome is Outcome.SUCCEEDED and (answer.result or not task.parameters.get("until_true")):
            done = replace(task, state=OperationState.SUCCEEDED, result=answer.result, error=None)
            self._put(done)
            self._settle(task.id)
            return done
        if answer.outcome is Outcome.NOT_STARTED and not task.on_agent:
            return self._send_again(task, answer, now_s)
        if _may_be_retried(task, answer):
            return self._reschedule(task, answer, now_s)
        return self._fail(replace(task, state=OperationState.FAILED, error=answer.error or "It has failed."))

    def _reschedule(self, task: Task, answer: Answer, now_s: float) -> Task:
        asked_s = answer.retry_after_s
        interval_s = float(task.parameters.get("retry_interval_s") or 0.0) if asked_s is None else asked_s
        again = replace(
            task,
            state=OperationState.RESCHEDULED,
            retries=task.retries + 1,
            refused=0,
            resumable=None,
            due_s=now_s + interval_s,
            error=answer.error,
        )
        self._rescheduled[task.id] = again.due_s
        return self._put(again)

    def _send_again(self, task: Task, answer: Answer, now_s: float) -> Task | None:
        """The same attempt once more: nothing of it has run, so it is no retry.

        An answer that arrives twice must not send again what has begun meanwhile; its count tells.
        """
        if answer.refused != task.refused:
            return None
        again = replace(
            task,
            state=OperationState.RESCHEDULED,
            refused=task.refused + 1,
            resumable=None,
            due_s=now_s + NOT_STARTED_INTERVAL_S,
            error=answer.error,
        )
        self._rescheduled[task.id] = again.due_s
        return self._put(again)

    def _fail(self, task: Task) -> Task:
        self._put(task)
        failed = task
        while not failed.ignores_failure:
            if failed.parent is None:
                self.failure = self.failure or task
                return task
            if self.tasks[failed.parent].ended:
                return task  # Another task in it has failed before, and what follows has begun already.
            failed = self._put(
                replace(self.tasks[failed.parent], state=OperationState.FAILED, error=task.error)
            )
        self._settle(failed.id)
        return task

    def _open_subgraph(self, task: Task) -> None:
        self._put(replace(task, state=OperationState.STARTED))
        for name in self._children[task.id]:
            self._count_down(name)
        self._close_if_empty(task.id)

    def _close_if_empty(self, name: str) -> None:
        if not self._open.get(name) and not self.tasks[name].ended:
            self._put(replace(self.tasks[name], state=OperationState.SUCCEEDED))
            self._settle(name)

    def _settle(self, name: str) -> None:
        """Let those begin that waited for it alone."""
        for dependent in self._dependents[name]:
            self._count_down(dependent)
        parent = self.tasks[name].parent
        if parent is not None:
            self._open[parent] -= 1
            if self.tasks[parent].state is OperationState.STARTED:
                self._close_if_empty(parent)

    def _count_down(self, name: str) -> None:
        self._waiting[name] -= 1
        if not self._waiting[name] and self.tasks[name].state is OperationState.PENDING:
            self._ready.append(name)

    def _put(self, task: Task) -> Task:
        self._under_way += task.under_way - self.tasks[task.id].under_way
        self._finished += _is_finished(task) - _is_finished(self.tasks[task.id])
        self.tasks[task.id] = self._changed[task.id] = task
        return task

    def _stuck(self) -> bool:
        """Whether tasks that nobody has left out never began: they wait for each other."""
        return any(
            task.state is OperationState.PENDING and not self._abandoned(task) for task in self.tasks.values()
        )

    def _abandoned(self, task: Task) -> bool:
        """Whether a subgraph that it is in has ended without it."""
        parent = task.parent
        while parent is not None:
            if self.tasks[parent].ended:
                return True
            parent = self.tasks[parent].parent
        return False

    @staticmethod
    def _is_settled(task: Task) -> bool:
        return task.state is OperationState.SUCCEEDED or (
            task.state is OperationState.FAILED and task.ignores_failure
        )


def _is_finished(task: Task) -> bool:
    return task.ended and task.type is TaskType.REMOTE


def _may_be_retried(task: Task, answer: Answer) -> bool:
    if answer.outcome is Outcome.SUCCEEDED:
        return True  # Its result is not true yet, and that is what is waited for.
    asked = answer.outcome is Outcome.RETRY or answer.recoverable
    limit: Any = task.parameters.get("max_retries", 0)
    return asked and (limit == FOR_EVER or task.retries < limit)
