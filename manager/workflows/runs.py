"""One execution that the engine works on: its graphs, and whoever builds them.

A workflow of ours is a generator: it yields a graph, and is gone on with when that has been carried out and
what it has changed is stored. One that comes with a blueprint runs in a process of its own, and its graphs
are found in the database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from manager import events
from manager.errors import Unavailable
from manager.events import Line
from manager.operations.message import Answer
from manager.operations.plain import text
from manager.workflows import lines, soundness, store
from manager.workflows.building import Graph as BuiltGraph
from manager.workflows.context import Say
from manager.workflows.graph import Graph
from manager.workflows.model import GraphFailed, GraphState, Task, TaskType
from manager.workflows.processes import WorkflowProcess
from manager.workflows.store import Batch, Ending, Facts, NewGraph

log = logging.getLogger(__name__)

CANCELLING, KILLED = "cancelling", "kill_cancelling"
FORCED = frozenset({"force_cancelling", KILLED})
ENDS: Mapping[str, Callable[[Facts], Line]] = {
    "terminated": events.succeeded,
    "cancelled": events.cancelled,
}
Steps = Generator[BuiltGraph, None, None]


@dataclass(slots=True)
class Live:
    """A graph that is being carried out. ``pk``: None until it is stored."""

    pk: int | None
    name: str
    graph: Graph
    failing_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be done when the batch is stored: operations to be sent, and operations to be ended."""

    send: tuple[Task, ...] = ()
    kill: tuple[Task, ...] = ()


class Run:
    """``make_steps`` or ``process``: who builds its graphs. Those that are stored already are ``restored``.

    What was being carried out is gone on with at once. Whoever built it is called when it has ended: on a
    resume a function runs from its beginning, and is told of each of its graphs what became of it.
    """

    def __init__(
        self,
        facts: Facts,
        batch: Batch,
        *,
        make_steps: Callable[[Say], Steps] | None = None,
        process: WorkflowProcess | None = None,
    ) -> None:
        self.facts = facts
        self.ended = False
        self.live: list[Live] = []
        self._make_steps = make_steps
        self._steps: Steps | None = None
        self._process = process
        self._results: dict[str, GraphFailed | None] = {}
        self._built = ""
        self._said: list[Line] = []
        self._total = self._done = 0
        told = events.resumed if facts.resume else events.started
        batch.lines.append((facts, told(facts)))

    @classmethod
    def failed(cls, facts: Facts, error: str, batch: Batch) -> Run:
        """One that cannot begin."""
        run = cls(facts, batch)
        run._end(batch, "failed", error)
        return run

    def restore(self, stored: store.Graph, alive: Container[str]) -> None:
        """Take up a graph. ``alive``: see ``Graph.resume``."""
        self._total += _operations(stored.tasks)
        if stored.state == GraphState.RUNNING:
            self._carry_out(stored.pk, stored.name, stored.tasks, alive)
            return
        self._done += _operations(stored.tasks)
        if stored.state == GraphState.SUCCEEDED:
            self._results[stored.name] = None
        else:
            self._results[stored.name] = _failure_of(Graph(stored.tasks))

    @property
    def has_process(self) -> bool:
        """Whether its graphs are built by a process."""
        return self._process is not None

    @property
    def is_due(self) -> bool:
        """Whether there is more to be done at once: what was just stored can be built on."""
        return not self.ended and self._make_steps is not None and not self.live

    def stored(self, pks: Mapping[str, int]) -> None:
        """New graphs have been stored, under these keys."""
        for live in self.live:
            if live.pk is None:
                live.pk = pks[live.name]

    def told(self, status: str) -> None:
        """Its status in the database."""
        self.facts = replace(self.facts, status=status)

    def found(self, graph: store.Graph, _: Batch) -> None:
        """A graph that its process has stored."""
        soundness.check(graph.tasks, self.facts.id)
        self._total += _operations(graph.tasks)
        self._carry_out(graph.pk, graph.name, graph.tasks)

    def answer(self, live: Live, answer: Answer, now_s: float, batch: Batch) -> None:
        """Take what became of an operation of it."""
        task = live.graph.answer(answer, now_s)
        if task is not None:
            self._say(batch, lines.answered(task, answer))
        if live not in self.live:
            # The graph has failed beside it. What it did is stored all the same: it does not run again.
            batch.tasks.update((task.id, task) for task in live.graph.changes())

    def go_on(self, now_s: float, batch: Batch) -> Wishes:
        """Do whatever can be done now."""
        wishes = self._halt(batch) or Wishes(send=tuple(self._advance(now_s, batch)))
        changed = [task for live in self.live for task in live.graph.changes()]
        batch.tasks.update((task.id, task) for task in changed)
        if changed or batch.graphs or batch.new_graphs:
            self._count(batch)
        return wishes

    def next_due_s(self) -> float | None:
        """When something is to be tried again, at the latest."""
        due = [live.graph.next_due_s for live in self.live]
        return min((when for when in due if when is not None), default=None)

    def end_process(self) -> None:
        """Whatever builds its graphs is to do so no more."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        self._steps = self._make_steps = None

    def fail(self, batch: Batch, error: str) -> None:
        """End it at once: it cannot be carried out."""
        self._end(batch, "failed", error)

    def _halt(self, batch: Batch) -> Wishes | None:
        """End it at once, if that is asked for or due."""
        if self.facts.status in FORCED:
            killed = self._kill() if self.facts.status == KILLED else ()
            self._end(batch, "cancelled")
            return Wishes(kill=killed)
        if self._overdue():
            killed = self._kill()
            error = f"The execution took longer than its timeout of {self.facts.timeout_s:g} s."
            self._end(batch, "failed", error)
            return Wishes(kill=killed)
        return None

    def _kill(self) -> tuple[Task, ...]:
        """What is under way has failed: whoever resumes the execution has it run anew, by another name."""
        running = tuple(task for live in self.live for task in live.graph.running)
        for live in self.live:
            live.graph.kill("It was killed.")
        return running

    def _overdue(self) -> bool:
        facts = self.facts
        if facts.timeout_s is None or facts.started_at is None:
            return False
        return time.time() > facts.started_at.timestamp() + facts.timeout_s

    def _advance(self, now_s: float, batch: Batch) -> Iterator[Task]:
        self._tell(batch)
        if self._make_steps is not None and not self.live:
            self._build(batch)
        for live in list(self.live):
            if self.facts.status != CANCELLING:
                yield from self._begin(live, now_s, batch)
            self._look_for_end(live, now_s, batch)
        if self._process is not None and not self.ended:
            self._look_at_process(batch)
        if self._make_steps is not None and self.facts.status == CANCELLING and not self.live:
            self._end(batch, "cancelled")
        self._tell(batch)

    def _begin(self, live: Live, now_s: float, batch: Batch) -> Iterator[Task]:
        dry_run = self.facts.is_dry_run
        step = live.graph.advance(now_s, dry_run=dry_run)
        for task in step.done:
            told = lines.sending(task, dry_run=True) if task.type is TaskType.REMOTE else lines.done(task)
            self._say(batch, told)
            if not dry_run:
                batch.effects.append((self.facts, task))
        for task in step.sent:
            self._say(batch, lines.sending(task))
        yield from step.sent

    def _look_for_end(self, live: Live, now_s: float, batch: Batch) -> None:
        state = live.graph.outcome(cancelled=self.facts.status == CANCELLING)
        if state is None and live.graph.failure is not None:
            # What runs beside something that has failed is waited for, but not for ever.
            live.failing_since_s = live.failing_since_s or now_s
            if now_s - live.failing_since_s >= self.facts.wait_after_fail:
                state = GraphState.FAILED
        if state is None or live.pk is None:
            return
        batch.graphs[live.pk] = state
        batch.tasks.update((task.id, task) for task in live.graph.changes())
        self.live.remove(live)
        self._done += live.graph.finished
        self._results[live.name] = _failure_of(live.graph) if state is GraphState.FAILED else None

    def _build(self, batch: Batch) -> None:
        """Let the function go on: everything that its graphs have done is stored."""
        if self.facts.status == CANCELLING or self._make_steps is None:
            return
        try:
            built = self._next_graph(self._make_steps)
            tasks = built.planned()
            soundness.check(tasks, self.facts.id)
        except StopIteration:
            self._end(batch, "terminated")
        except GraphFailed as failure:
            self._end(batch, "failed", str(failure))
        except Unavailable:
            raise
        except Exception as failure:
            log.exception("The workflow of execution %s has failed.", self.facts.id)
            self._end(batch, "failed", f"{type(failure).__name__}: {failure}")
        else:
            batch.new_graphs.append(NewGraph(self.facts, built.name, tasks))
            self._total += _operations(tasks)
            self._carry_out(None, built.name, tasks)

    def _next_graph(self, make_steps: Callable[[Say], Steps]) -> BuiltGraph:
        """The next graph that was not carried out yet. Raises what the function does."""
        if self._steps is None:
            self._steps = make_steps(self._said.append)
            built = next(self._steps)
        else:
            built = self._go_on_after(self._steps, self._built)
        while built.name in self._results:
            built = self._go_on_after(self._steps, built.name)
        self._built = built.name
        return built

    def _go_on_after(self, steps: Steps, name: str) -> BuiltGraph:
        error = self._results[name]
        if error is None:
            return next(steps)
        throw: Callable[[GraphFailed], BuiltGraph] = steps.throw
        return throw(error)

    def _carry_out(
        self, pk: int | None, name: str, tasks: tuple[Task, ...], alive: Container[str] = ()
    ) -> None:
        live = Live(pk, name, Graph(tasks))
        self.live.append(live)
        for lost in live.graph.resume(alive):
            self._said.extend(lines.interrupted(lost))

    def _look_at_process(self, batch: Batch) -> None:
        if self._process is None:
            return
        if not self._process.has_begun():
            if self.facts.status == CANCELLING and not self.live:
                self._end(batch, "cancelled")
            return
        outcome = None if self.live else self._process.outcome()
        if outcome is None:
            return
        self._process = None
        status = {"succeeded": "terminated"}.get(outcome.outcome, outcome.outcome)
        self._end(batch, status, outcome.error)

    def _end(self, batch: Batch, status: str, error: str | None = None) -> None:
        self.ended = True
        self.end_process()
        error = None if error is None else text(error)
        batch.endings.append(Ending(self.facts, status, error))
        if status == "failed":
            told = events.failed(self.facts, error or "It has failed.")
        else:
            told = ENDS[status](self.facts)
        batch.lines.append((self.facts, told))
        for live in self.live:
            if live.pk is not None:
                state = GraphState.CANCELLED if status == "cancelled" else GraphState.FAILED
                batch.graphs.setdefault(live.pk, state)

    def _count(self, batch: Batch) -> None:
        finished = self._done + sum(live.graph.finished for live in self.live)
        batch.progress[self.facts.pk] = (self._total, finished)

    def _tell(self, batch: Batch) -> None:
        """What was said meanwhile, in its order."""
        self._say(batch, self._said)
        self._said.clear()

    def _say(self, batch: Batch, told: list[Line]) -> None:
        batch.lines.extend((self.facts, line) for line in told)


def _operations(tasks: Iterable[Task]) -> int:
    return sum(task.type is TaskType.REMOTE for task in tasks)


def _failure_of(graph: Graph) -> GraphFailed:
    failed = graph.failure
    if failed is None:
        return GraphFailed("The graph has failed: its tasks wait for each other.")
    return GraphFailed(f"Task failed '{failed.name}' -> {failed.error}" if failed.error else failed.name)
