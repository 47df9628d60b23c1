"""What is around the rules of a graph: a database, a broker, workers that can die, agents that cannot forget.

Everything happens in steps of which a test chooses the order. Whatever breaks a promise raises
``AssertionError`` at once.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace

from manager.operations.message import Answer, Outcome
from manager.workflows.graph import Graph
from manager.workflows.model import UNDER_WAY, OperationState, Task, TaskType

S = OperationState
Attempt = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """What an operation does whenever it is run: how often it asks to be tried again, and how it ends."""

    ends: Outcome = Outcome.SUCCEEDED
    retries: int = 0
    resumable: bool = True


class Killed(Exception):
    """The engine was killed at this point."""


@dataclass
class World:
    """``rows``: what is committed. ``kill_at``: the engine dies when it comes to this point of its turn."""

    rows: dict[str, Task]
    plans: dict[str, Plan]
    messages: deque[Attempt] = field(default_factory=deque)
    answers: deque[Answer] = field(default_factory=deque)
    running: dict[Attempt, bool] = field(default_factory=dict)
    agents: dict[Attempt, Answer | None] = field(default_factory=dict)
    begun: Counter[Attempt] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    kill_at: str | None = None
    engine: Engine | None = None
    now_s: float = 0.0

    # ---- what happens outside of the engine

    def deliver(self, place: int, *, twice: bool) -> None:
        """A worker gets a message, perhaps of those that there are two of."""
        if not self.messages:
            return
        self.messages.rotate(-(place % len(self.messages)))
        attempt = self.messages[0] if twice else self.messages.popleft()
        if self.rows[attempt[0]].on_agent:
            self._on_agent(attempt)
        else:
            self._on_manager(attempt)

    def _on_manager(self, attempt: Attempt) -> None:
        """The fence, as ``manager.operations.fence`` has it."""
        row = self.rows[attempt[0]]
        if row.retries != attempt[1] or row.state not in {S.SENDING, S.SENT}:
            return
        resumable = self.plans[row.id].resumable
        self.rows[row.id] = replace(row, state=S.STARTED, resumable=resumable)
        self._begin(attempt)
        if not resumable:
            assert self.begun[attempt] == 1, f"{row.id} must not run twice, and did"
        self.running[attempt] = True

    def _on_agent(self, attempt: Attempt) -> None:
        """The agent's own ledger."""
        if attempt in self.agents:
            answer = self.agents[attempt]
            if answer is not None:
                self.answers.append(answer)
            return
        self._begin(attempt)
        assert self.begun[attempt] == 1, f"{attempt[0]} ran twice on its agent"
        self.agents[attempt] = None

    def _begin(self, attempt: Attempt) -> None:
        row = self.rows[attempt[0]]
        assert row.state not in {S.SUCCEEDED, S.FAILED}, f"{row.id} had ended, and ran again"
        for name in row.dependencies:
            assert self._settled(self.rows[name]), f"{row.id} did not wait for {name}"
        parent = row.parent
        while parent is not None:
            assert self.rows[parent].state is not S.PENDING, f"{row.id} did not wait for its subgraph"
            for name in self.rows[parent].dependencies:
                assert self._settled(self.rows[name]), f"{row.id} did not wait for {name}"
            parent = self.rows[parent].parent
        self.begun[attempt] += 1

    @staticmethod
    def _settled(row: Task) -> bool:
        return row.state is S.SUCCEEDED or (row.state is S.FAILED and row.ignores_failure)

    def finish(self, place: int) -> None:
        """One of the operations that run ends, and answers."""
        here = [*self.running, *(attempt for attempt, answer in self.agents.items() if answer is None)]
        if not here:
            return
        attempt = here[place % len(here)]
        answer = self._answer(attempt)
        if attempt in self.running:
            del self.running[attempt]
        else:
            self.agents[attempt] = answer
        self.answers.append(answer)

    def _answer(self, attempt: Attempt) -> Answer:
        name, number = attempt
        plan = self.plans[name]
        if number < plan.retries:
            return Answer(id=name, attempt=number, outcome=Outcome.RETRY, error="again", retry_after_s=1.0)
        if plan.ends is Outcome.SUCCEEDED:
            self.finished[name] += 1
        return Answer(id=name, attempt=number, outcome=plan.ends, error="broken")

    def repeat_answer(self, place: int) -> None:
        """An answer arrives a second time."""
        if self.answers:
            self.answers.append(self.answers[place % len(self.answers)])

    def kill(self, *, broker: bool) -> None:
        """The engine dies, and with it its workers; perhaps the broker as well."""
        self.engine = None
        self.running.clear()
        if broker:
            self.messages.clear()
            # What agents have said and nobody has taken, they keep and say again.
            self.answers.clear()

    def at(self, point: str) -> None:
        """The engine comes to a point at which it may die."""
        if self.kill_at == point:
            self.kill_at = None
            raise Killed(point)


class Engine:
    """A turn of the engine, without all that is not a rule: read answers, decide, store, send."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.graph = Graph(world.rows[name] for name in world.rows)
        self.graph.resume()
        # What agents do is asked for again at once, under the same number.
        self._to_ask = [task for task in self.graph.running if task.on_agent]

    def turn(self, size: int) -> None:
        """Take some answers, begin what may begin, and store it before it is sent."""
        world = self.world
        taken = list(world.answers)[:size]
        for answer in taken:
            self.graph.answer(answer, world.now_s)
        step = self.graph.advance(world.now_s)
        for task in step.done:
            assert not task.under_way
        world.at("before it is stored")
        self._store()
        world.at("after it is stored")
        asked, self._to_ask = self._to_ask, []
        for task in (*step.sent, *asked):
            world.messages.append((task.id, task.retries))
            world.at("between two messages")
        world.at("after it is sent")
        for _ in taken:
            world.answers.popleft()

    def _store(self) -> None:
        """One transaction. What a worker has stored meanwhile is not undone by an older picture of it."""
        for task in self.graph.changes():
            before = self.world.rows[task.id]
            if task.state is S.SUCCEEDED and before.state is not S.SUCCEEDED:
                self.world.counted[task.id] += 1
            assert not before.ended or before == task, f"{task.id} had ended, and is changed"
            assert task.type is TaskType.REMOTE or task.state not in UNDER_WAY or task.state is S.STARTED
            self.world.rows[task.id] = task
