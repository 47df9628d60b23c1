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

from sqlalchemy import text

from manager.errors import Unavailable
from manager.operations.message import Answer
from manager.patience import WriteSlot
from manager.storage import Storage
from manager.workflows import store
from manager.workflows.answers import AnswersReader, Taken
from manager.workflows.beginning import Beginning
from manager.workflows.model import Task
from manager.workflows.runs import Live, Run
from manager.workflows.sending import Sender
from manager.workflows.store import Batch

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


@dataclass(frozen=True, slots=True)
class Parts:
    """What the engine works with. ``release``: lets executions go that have waited for others, or a time."""

    storage: Storage
    sender: Sender
    beginning: Beginning
    release: Release
    term: Callable[[], int | None]


class Engine:
    """One for each process. ``name``: the one under which it claims executions, and holds its lock."""

    def __init__(self, parts: Parts) -> None:
        self.name = uuid.uuid4().hex
        self._parts = parts
        self._inbox: queue.SimpleQueue[Taken | None] = queue.SimpleQueue()
        self._runs: dict[int, Run] = {}
        self._owners: dict[str, tuple[Run, Live]] = {}
        self._sent: dict[str, float] = {}
        self._alive: set[str] = set()
        self._look_at_s = 0.0
        self._take_up_at_s = 0.0
        self._more = False

    def take(self, taken: Taken) -> None:
        """Answers have come. May be called from other threads, as ``wake``."""
        self._inbox.put(taken)

    def wake(self) -> None:
        """There is something to look at in the database."""
        self._inbox.put(None)

    def run(self, reader: AnswersReader) -> None:
        """Go on for ever. Raises what makes it impossible."""
        # What has been answered is stored before anything is taken up: it has ended, and does not run again.
        for found in reader.waiting():
            self._keep(Batch(strays=list(found.answers)))
            reader.stored(found)
        reader.start()
        while True:
            taken = self._wait()
            self.turn([answer for part in taken for answer in part.answers])
            for part in taken:
                reader.stored(part)

    def turn(self, answers: list[Answer]) -> None:
        """Do all that can be done now."""
        now_s = time.monotonic()
        batch = Batch()
        due = {run.facts.pk: run for run in self._answered(answers, now_s, batch)}
        if self._more or now_s >= self._look_at_s:
            self._patiently(lambda: self._look(batch, now_s))
            due = self._runs
            batch.sent = self._still_sent(now_s)
            self._look_at_s = now_s + self._pause_s()
        sends: list[Task] = []
        kills: list[Task] = []
        for run in list(due.values()):
            wishes = run.go_on(now_s, batch)
            sends.extend(wishes.send)
            kills.extend(wishes.kill)
        self._keep(batch)
        self._look_at_s = 0.0 if batch.endings else self._look_at_s
        # Before they are forgotten: a late answer is none for the run that goes on with the same execution.
        self._own(due.values(), sends)
        self._forget_ended()
        self._parts.sender.send(sends)
        self._parts.sender.kill(kills)
        self._sent.update((task.id, now_s) for task in sends)

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

    def _answered(self, answers: list[Answer], now_s: float, batch: Batch) -> Iterator[Run]:
        for answer in answers:
            self._alive.discard(answer.id)
            self._sent.pop(answer.id, None)
            run, live = self._owners.get(answer.id, (None, None))
            if run is None or live is None:
                batch.strays.append(answer)
            else:
                run.answer(live, answer, now_s, batch)
                yield run

    def _still_sent(self, now_s: float) -> list[str]:
        """Those that wait for longer; most are answered before anybody could read that they are sent."""
        found = [name for name, at_s in self._sent.items() if now_s - at_s >= LOOK_EVERY_S]
        for name in found:
            del self._sent[name]
        return found

    def _look(self, batch: Batch, now_s: float) -> None:
        """Look at the database: what nobody works on, what is wished, and what was built meanwhile."""
        with self._parts.storage.writing(WriteSlot()) as session:
            if now_s >= self._take_up_at_s:
                session.execute(text("SELECT take_up_executions(:term)"), {"term": self._parts.term()})
            claimed = store.claim(session, self.name, self._parts.term(), CLAIMED_AT_ONCE)
        self._take_up_at_s = max(self._take_up_at_s, now_s + TAKE_UP_EVERY_S)
        self._more = len(claimed) == CLAIMED_AT_ONCE
        self._parts.release()
        with self._parts.storage.reading() as session:
            statuses = store.statuses(session, self.name)
            known = [live.pk for run in self._runs.values() for live in run.live if live.pk is not None]
            with_process = [pk for pk, run in self._runs.items() if run.has_process]
            built = store.running_graphs(session, with_process, known)
            graphs = store.graphs_of(session, [facts.pk for facts in claimed])
        for pk, run in self._runs.items():
            if pk in statuses:
                run.told(statuses[pk])
            else:
                self._drop(run)
        for facts in claimed:
            run = self._parts.beginning.begin(facts, graphs[facts.pk], batch, self._alive)
            self._runs[facts.pk] = run
            self._own([run], [])
        for graph in built:
            self._runs[graph.execution_pk].found(graph)
        self._forget_ended()

    def _drop(self, run: Run) -> None:
        """It is somebody else's now, or nobody's: a deployment was deleted by force, or REST has ended it."""
        log.warning("Execution %s is not ours any more.", run.facts.id)
        run.end_process()
        run.ended = True

    def _keep(self, batch: Batch) -> None:
        self._patiently(lambda: self._store(batch))

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
