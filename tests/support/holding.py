"""Holds executions at a step of the life of an operation; what ``held_steps`` makes of an engine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manager.operations import running
from manager.operations.message import Answer, Message
from manager.workflows import store
from manager.workflows.engine import Engine
from manager.workflows.model import Task
from manager.workflows.runs import Live, Run
from manager.workflows.sending import Sender

CLAIMED = "claimed"
"""It belongs to an engine, which has not looked at it."""
NO_GRAPH = "no-graph"
"""It is begun, and nothing of its graph is stored."""
NOT_STORED = "not-stored"
"""The operation before is done, and it is not stored that this one is about to be sent."""
STORED = "stored"
"""That is stored, and it is not sent."""
SENT = "sent"
"""The worker has its message, and has not stored that it begins."""
ANSWERED = "answered"
"""It has run, and its answer is not stored."""
ANSWER_STORED = "answer-stored"
"""It is stored, and what follows is not."""
NOT_ENDED = "not-ended"
"""All operations are done, and it is not stored that the execution has ended."""

STEPS = (CLAIMED, NO_GRAPH, NOT_STORED, STORED, SENT, ANSWERED, ANSWER_STORED, NOT_ENDED)

OPERATION, BEFORE = "configure", "create"
"""The operation that it is about, and the one before it."""

FOR_EVER_S = 3600.0
STORED_BY_THEN = 2
"""What an engine has decided is stored in the same turn: when it comes by for the second time, it is."""


class Holds:
    """Who is held where, by the engine of this node."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._times: Counter[str] = Counter()

    def at(self, step: str, deployment: str | None, execution: str, *, times: int = 1) -> bool:
        """Whether it is held at this step. ``times``: how often it is asked until it surely stands there."""
        if deployment != step:
            return False
        self._times[execution] += 1
        if self._times[execution] == times:
            (self._folder / execution).touch()
        return True

    def run(self, step: str, run: Run) -> bool:
        """The same, of an execution on which the engine works."""
        return self.at(step, run.facts.deployment_id, run.facts.id, times=STORED_BY_THEN)

    def task(self, step: str, task: Task) -> bool:
        """The same, of the operation that this is about."""
        return self.context(step, task.parameters["context"])

    def context(self, step: str, context: Any) -> bool:
        """The same, by what is sent with an operation."""
        return _is(OPERATION, context) and self.at(step, context["deployment_id"], context["execution_id"])

    def knows(self, run: Run) -> bool:
        """Whether it was held before."""
        return run.facts.id in self._times


def _is(operation: str, context: Any) -> bool:
    return bool(context["operation"]["name"].endswith(f".{operation}"))


def hold_rows(holds: Holds) -> None:
    """What is claimed is not read."""
    read = store.read

    def some(session: Any, pks: Sequence[int]) -> list[store.Facts]:
        return [one for one in read(session, pks) if not holds.at(CLAIMED, one.deployment_id, one.id)]

    store.read = some


def hold_runs(holds: Holds) -> None:
    """Graphs are not built, not gone on with, or not ended."""
    build, begin, end = Run._build, Run._begin, Run._end
    is_due = Run.is_due.fget

    def maybe_build(run: Run, batch: Any) -> None:
        # What is held at its end has nothing more to build: its function has returned.
        if not holds.run(NO_GRAPH, run) and not (holds.knows(run) and holds.run(NOT_ENDED, run)):
            build(run, batch)

    def maybe_begin(run: Run, live: Live, now_s: float, batch: Any) -> Iterator[Task]:
        after = {NOT_STORED: BEFORE, ANSWER_STORED: OPERATION}.get(run.facts.deployment_id or "")
        if after and _has_ended(live, after) and holds.run(run.facts.deployment_id or "", run):
            return iter(())
        return begin(run, live, now_s, batch)

    def maybe_end(run: Run, batch: Any, status: str, error: str | None = None) -> None:
        if status != "terminated" or not holds.run(NOT_ENDED, run):
            end(run, batch, status, error)

    Run._build, Run._begin, Run._end = maybe_build, maybe_begin, maybe_end
    Run.is_due = property(lambda run: is_due(run) and not holds.knows(run))


def _has_ended(live: Live, operation: str) -> bool:
    contexts = (task.parameters.get("context") for task in live.graph.tasks.values() if task.ended)
    return any(context and _is(operation, context) for context in contexts)


def hold_messages(holds: Holds) -> None:
    """What is stored is not sent; what has been answered is lost with the engine."""
    send, answered = Sender.send, Engine._answered

    def send_some(sender: Sender, tasks: Sequence[Task]) -> None:
        send(sender, [task for task in tasks if not holds.task(STORED, task)])

    def is_held(engine: Engine, answer: Answer) -> bool:
        _, live = engine._owners.get(answer.id, (None, None))
        return live is not None and holds.task(ANSWERED, live.graph.tasks[answer.id])

    def take_some(engine: Engine, answers: list[Answer], turn: Any) -> Iterator[Run]:
        return answered(engine, [answer for answer in answers if not is_held(engine, answer)], turn)

    Sender.send = send_some
    Engine._answered = take_some


def hold_operations(holds: Holds) -> None:
    """What the worker has is not begun."""
    start = running._start

    def maybe_start(message: Message, world: Any, function: Any) -> bool:
        if holds.context(SENT, message.context):
            time.sleep(FOR_EVER_S)
        return start(message, world, function)

    running._start = maybe_start


def hold(folder: Path) -> None:
    """From now on, in this process and those that it forks."""
    holds = Holds(folder)
    for hold_some in (hold_rows, hold_runs, hold_messages, hold_operations):
        hold_some(holds)
