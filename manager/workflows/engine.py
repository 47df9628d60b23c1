"""The engine: carries out the graphs of all executions of this manager. Start reading here.

One turn: take what has come (answers, wishes, new executions), decide by the rules of ``graph``, store all
of it in one transaction, and only then send. Nothing that matters is kept in memory alone. So whatever goes
badly wrong, the process ends, is started again, and takes up what it finds: a restart, a new leader and the
first start are one thing.
"""

from __future__ import annotations

import logging
import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text

from manager.errors import Unavailable
from manager.operations.message import Answer
from manager.slots import WriteSlot
from manager.storage import Storage
from manager.workflows import store
from manager.workflows.answers import AnswersReader, Taken
from manager.workflows.asking import Asking, Known
from manager.workflows.beginning import Beginning
from manager.workflows.model import Task
from manager.workflows.runs import Live, Run
from manager.workflows.sending import Sender
from manager.workflows.store import Batch, Facts
from manager.workflows.turns import NOT_THEIRS, Turn

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
PROCESSES_EVERY_S = 0.2
TAKE_UP_EVERY_S = 10.0
CLAIMED_AT_ONCE = 50
"""Executions that are begun in one turn: what runs already does not wait long for those that are new."""

PATIENCE_S = 30.0
"""For how long a database is waited for that is there, but takes nothing at this moment."""

RETRY_S = 0.2

Release = Callable[[], object]
IsOver = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the engine works with.

    ``release``: lets executions go that have waited for others, or a time. ``known``: see ``asking``.
    ``end_leftovers``: ends what operations under way have left behind (``manager.operations.leftovers``).
    """

    storage: Storage
    sender: Sender
    beginning: Beginning
    release: Release
    term: Callable[[], int | None]
    known: Known
    end_leftovers: Callable[[], None] = lambda: None


class Engine:
    """One for each process. ``name``: the one under which it claims executions, and holds its lock."""

    def __init__(self, parts: Parts) -> None:
        self.name = uuid.uuid4().hex
        self._parts = parts
        self._inbox: queue.SimpleQueue[Taken | None] = queue.SimpleQueue()
        self._runs: dict[int, Run] = {}
        self._owners: dict[str, tuple[Run, Live]] = {}
        self._alive: set[str] = set()
        self._asking = Asking(parts.storage, parts.sender, parts.known)
        self._look_at_s = 0.0
        self._take_up_at_s = 0.0
        self._more = False

    def take(self, taken: Taken) -> None:
        """Answers have come. May be called from other threads, as ``wake``."""
        self._inbox.put(taken)

    def wake(self) -> None:
        """There is something to look at in the database."""
        self._inbox.put(None)

    def run(self, reader: AnswersReader, is_over: IsOver = lambda _: False) -> None:
        """Go on until it ``is_over``. Raises what makes it impossible.

        That is asked between two turns, with the number of executions that it works on: so what was claimed
        is never left behind.
        """
        # What has been answered is stored before anything is taken up: it has ended, and does not run again.
        for found in reader.waiting():
            self._keep_strays(found.answers)
            reader.stored(found)
        self._patiently(self._parts.end_leftovers)
        reader.start()
        while not is_over(len(self._runs)):
            taken = self._wait()
            self.turn([answer for part in taken for answer in part.answers])
            for part in taken:
                reader.stored(part)

    def turn(self, answers: list[Answer]) -> None:
        """Do all that can be done now."""
        turn = Turn(time.monotonic())
        due = {run.facts.pk: run for run in self._answered(answers, turn)}
        if self._more or turn.now_s >= self._look_at_s:
            # An execution that is taken up now must see what was answered before.
            self._keep_strays(turn.common.strays)
            turn.common.strays.clear()
            self._patiently(lambda: self._look(turn))
            due = self._runs
            turn.common.sent = self._asking.still_sent(turn.now_s)
            self._look_at_s = turn.now_s + self._pause_s()
        for run in list(due.values()):
            turn.do(run, partial(run.go_on, turn.now_s))
        self._keep(turn)
        # Before they are forgotten: a late answer is none for the run that goes on with the same execution.
        sends = turn.sends
        self._own(due.values(), sends)
        self._forget_ended()
        again = self._asking.due(self._under_way, turn.now_s)
        self._parts.sender.send(sends + again)
        self._parts.sender.kill(turn.kills)
        self._asking.sent(sends, again, turn.now_s)

    def _wait(self) -> list[Taken]:
        """What has come; returns after a second at the latest, and sooner when something is due."""
        taken = []
        timeout_s = self._timeout_s()
        try:
            while True:
                item = self._inbox.get(timeout=timeout_s) if timeout_s else self._inbox.get_nowait()
                timeout_s = 0.0
                if item is None:
                    self._look_at_s = 0.0
                else:
                    taken.append(item)
        except queue.Empty:
            return taken

    def _timeout_s(self) -> float:
        if self._more or any(run.is_due for run in self._runs.values()):
            self._look_at_s = 0.0
            return 0.0
        due = [when for run in self._runs.values() if (when := run.next_due_s()) is not None]
        self._look_at_s = min(self._look_at_s, *due) if due else self._look_at_s
        return max(0.001, self._look_at_s - time.monotonic())

    def _pause_s(self) -> float:
        return PROCESSES_EVERY_S if any(run.has_process for run in self._runs.values()) else LOOK_EVERY_S

    def _answered(self, answers: list[Answer], turn: Turn) -> Iterator[Run]:
        for answer in answers:
            if not self._asking.answered(answer):
                continue
            self._alive.discard(answer.id)
            run, live = self._owners.get(answer.id, (None, None))
            if run is None or live is None:
                turn.common.strays.append(answer)
            else:
                turn.do(run, partial(run.answer, live, answer, turn.now_s))
                yield run

    def _under_way(self, name: str) -> Task | None:
        """An operation that somebody may be carrying out, as it was sent; None: nobody is."""
        _, live = self._owners.get(name, (None, None))
        return live.graph.tasks[name] if live is not None and live.graph.tasks[name].under_way else None

    def _look(self, turn: Turn) -> None:
        """Look at the database: what nobody works on, what is wished, and what was built meanwhile."""
        term = self._parts.term()
        with self._parts.storage.writing(WriteSlot()) as session:
            if turn.now_s >= self._take_up_at_s:
                session.execute(text("SELECT take_up_executions(:term)"), {"term": term})
            claimed = store.claim(session, self.name, term, CLAIMED_AT_ONCE)
        self._take_up_at_s = max(self._take_up_at_s, turn.now_s + TAKE_UP_EVERY_S)
        self._more = claimed == CLAIMED_AT_ONCE
        self._parts.release()
        with self._parts.storage.reading() as session:
            statuses = store.statuses(session, self.name)
            # Also those that were claimed when the database was lost before they were read.
            new = store.read(session, [pk for pk in statuses if pk not in self._runs])
            known = [live.pk for run in self._runs.values() for live in run.live if live.pk is not None]
            with_process = [pk for pk, run in self._runs.items() if run.has_process]
            built = store.running_graphs(session, with_process, known)
            graphs = store.graphs_of(session, [facts.pk for facts in new])
        for pk, run in self._runs.items():
            if pk in statuses:
                run.told(statuses[pk])
            else:
                self._drop(run)
        for facts in new:
            self._begin(facts, graphs[facts.pk], turn)
        for graph in built:
            run = self._runs[graph.execution_pk]
            turn.do(run, partial(run.found, graph))

    def _begin(self, facts: Facts, graphs: list[store.Graph], turn: Turn) -> None:
        begin = partial(self._parts.beginning.begin, facts, graphs, turn.parts[facts.pk], self._alive)
        try:
            run = begin()
        except Exception as error:
            log.exception("Execution %s cannot begin.", facts.id)
            turn.parts[facts.pk] = Batch()
            run = Run.failed(facts, f"It cannot begin: {error!r}", turn.parts[facts.pk])
        self._runs[facts.pk] = run
        self._own([run], [])
        self._asking.taken_up(task for live in run.live for task in live.graph.running)

    def _drop(self, run: Run) -> None:
        """It is somebody else's now, or nobody's: a deployment was deleted by force, or REST has ended it."""
        log.warning("Execution %s is not ours any more.", run.facts.id)
        run.end_process()
        run.ended = True

    def _keep(self, turn: Turn) -> None:
        """Store all of it together; what the database refuses because of its content, one by one."""
        batch = turn.batch()
        try:
            self._patiently(lambda: self._store(batch))
        except NOT_THEIRS:
            raise
        except Exception:
            log.exception("What %s executions have done is stored one by one.", len(turn.parts))
            self._keep_apart(turn)
        if batch.endings:
            self._look_at_s = 0.0

    def _keep_apart(self, turn: Turn) -> None:
        self._keep_strays(turn.common.strays)
        for pk in list(turn.parts):
            try:
                self._patiently(lambda pk=pk: self._store(turn.parts[pk]))  # type: ignore[misc]
            except NOT_THEIRS:
                raise
            except Exception as error:
                log.exception("Execution %s cannot be stored.", pk)
                turn.give_up(self._runs[pk], error)
                self._store_end(pk, turn.parts[pk])

    def _store_end(self, pk: int, batch: Batch) -> None:
        try:
            self._patiently(lambda: self._store(batch))
        except NOT_THEIRS:
            raise
        except Exception:
            log.exception("Not even the end of execution %s can be stored: it is not there any more.", pk)
            self._drop(self._runs[pk])

    def _keep_strays(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            batch = Batch(strays=[answer])
            try:
                self._patiently(lambda batch=batch: self._store(batch))  # type: ignore[misc]
            except NOT_THEIRS:
                raise
            except Exception:
                log.exception("The answer of operation %s cannot be stored.", answer.id)

    def _patiently(self, do: Callable[[], None]) -> None:
        """Do it; a database that certainly did nothing is asked again for a while."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return do()
            except Unavailable as error:
                if time.monotonic() > until_s:
                    raise
                log.warning("Workflows wait for the database: %s", error)
            time.sleep(RETRY_S)

    def _store(self, batch: Batch) -> None:
        if not batch:
            return
        with self._parts.storage.writing(WriteSlot()) as session:
            made = store.write(session, batch, self.name)
        for new, pk in zip(batch.new_graphs, made, strict=True):
            self._runs[new.execution.pk].stored({new.name: pk})

    def _own(self, runs: Iterable[Run], sends: list[Task]) -> None:
        """Remember whose answers will come, and which operations our worker is given."""
        self._alive.update(task.id for task in sends if not task.on_agent)
        for run in runs:
            for live in run.live:
                self._owners.update((task.id, (run, live)) for task in live.graph.running)

    def _forget_ended(self) -> None:
        ended = {pk for pk, run in self._runs.items() if run.ended}
        if ended:
            self._runs = {pk: run for pk, run in self._runs.items() if pk not in ended}
            self._owners = {
                name: owner for name, owner in self._owners.items() if owner[0].facts.pk not in ended
            }
