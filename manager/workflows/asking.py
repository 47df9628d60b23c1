"""What was sent and is not answered yet: how long that is, and when it is to be sent once more.

A broker can lose what it was given. A second copy is harmless: whoever runs an operation commits first that
it has begun, an agent knows what it has begun. But copies must not pile up before somebody who is only slow.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from celery import Celery
from sqlalchemy import text

from manager.errors import Unavailable
from manager.operations.message import OPERATIONS, Answer, Outcome, task_id
from manager.storage import Storage
from manager.workflows.model import Task
from manager.workflows.sending import Sender

log = logging.getLogger(__name__)

ASK_AGENTS_EVERY_S = 60.0
"""A broker forgets what it gave to an agent whose connection broke. The agent knows what it has begun."""

ASK_WORKER_AFTER_S = 15.0
"""Our worker fetches at once what it has room for. A busy machine takes seconds; longer is worth a look."""

ASK_WORKER_AT_MOST_EVERY_S = 240.0
"""The time between two looks doubles up to this: an operation may wait for hours behind others."""

LOOK_EVERY_S = 1.0
AT_ONCE = 50
"""The worker tells of each operation that it knows all of its message."""

ANSWER_S = 2.0

NOT_BEGUN = text("SELECT id FROM operations WHERE id = ANY(:ids) AND state IN ('sending', 'sent')")

Find = Callable[[str], Task | None]
"""The operation of that id as the engine knows it; None: it is not under way any more."""

Known = Callable[[Collection[Task]], Container[str]]
"""The ids of those that the worker has fetched and not ended. Who does not answer may know all of them."""


class Agents:
    """Operations on agents: each is asked for again as long as its agent has fetched what was sent before."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._asked: dict[str, float] = {}

    def taken_up(self, tasks: Iterable[Task]) -> None:
        """An earlier engine has sent them: they are asked for at once."""
        self._asked.update((task.id, -math.inf) for task in tasks if task.on_agent)

    def sent(self, tasks: Iterable[Task], now_s: float) -> None:
        """They were sent just now."""
        self._asked.update((task.id, now_s) for task in tasks if task.on_agent)

    def answered(self, answer: Answer) -> None:
        """It is not asked for any more."""
        self._asked.pop(answer.id, None)

    def due(self, find: Find, now_s: float) -> Iterator[Task]:
        """Those whose messages are to be sent once more."""
        for name in [name for name, at_s in self._asked.items() if now_s - at_s >= ASK_AGENTS_EVERY_S]:
            del self._asked[name]
            task = find(name)
            # While an agent is away, one copy waits for it, and no more.
            if task is not None and self._sender.agent_has_messages(task):
                self._asked[name] = now_s
            elif task is not None:
                yield task


@dataclass(slots=True)
class Waiting:
    """An operation that our worker was given. ``copies``: how often, of this attempt."""

    look_at_s: float
    pause_s: float
    copies: int = 1


class OurWorker:
    """Operations on this manager: sent again when nobody has begun them, and the worker knows of none."""

    def __init__(self, storage: Storage, sender: Sender, known: Known) -> None:
        self._storage, self._sender, self._known = storage, sender, known
        self._waiting: dict[str, Waiting] = {}
        self._look_at_s = 0.0

    def sent(self, tasks: Iterable[Task], now_s: float) -> None:
        """A first copy of them was sent just now."""
        for task in tasks:
            if not task.on_agent:
                self._waiting[task.id] = Waiting(now_s + ASK_WORKER_AFTER_S, ASK_WORKER_AFTER_S)

    def believes(self, answer: Answer) -> bool:
        """Of several copies one that could not begin says nothing about another, which may run."""
        waiting = self._waiting.get(answer.id)
        return waiting is None or waiting.copies == 1 or answer.outcome is not Outcome.NOT_STARTED

    def due(self, find: Find, now_s: float) -> list[Task]:
        """Those whose messages are lost. Raises what the broker's clients do."""
        if now_s < self._look_at_s:
            return []
        self._look_at_s = now_s + LOOK_EVERY_S
        tasks = self._still_there(find, now_s)
        # What is in the queue is not lost, and while anything is the worker has more than it can begin.
        if not tasks or self._sender.operations_wait():
            return []
        try:
            tasks = self._not_begun(tasks)
        except Unavailable as error:
            log.info("Whether operations have begun cannot be read: %s", error)
            return []
        known = self._known(tasks) if tasks else ()
        lost = [task for task in tasks if task.id not in known]
        for task in tasks:
            self._put_off(self._waiting[task.id], now_s)
        for task in lost:
            self._waiting[task.id].copies += 1
            log.warning("The message of operation %s (%s) was lost, and is sent again.", task.id, task.name)
        return lost

    def _still_there(self, find: Find, now_s: float) -> list[Task]:
        found = {name: find(name) for name, waiting in self._waiting.items() if waiting.look_at_s <= now_s}
        for name in [name for name, task in found.items() if task is None]:
            del self._waiting[name]
        return [task for task in found.values() if task is not None][:AT_ONCE]

    def _not_begun(self, tasks: list[Task]) -> list[Task]:
        with self._storage.reading() as session:
            waiting = set(session.scalars(NOT_BEGUN, {"ids": [task.id for task in tasks]}))
        for name in (task.id for task in tasks if task.id not in waiting):
            # Whoever was sent once is not looked for any more. Of several copies the others may still answer.
            if self._waiting[name].copies > 1:
                self._waiting[name].look_at_s += ASK_WORKER_AT_MOST_EVERY_S
            else:
                del self._waiting[name]
        return [task for task in tasks if task.id in waiting]

    @staticmethod
    def _put_off(waiting: Waiting, now_s: float) -> None:
        waiting.pause_s = min(2 * waiting.pause_s, ASK_WORKER_AT_MOST_EVERY_S)
        waiting.look_at_s = now_s + waiting.pause_s


class Asking:
    """All that was sent, to whomever."""

    def __init__(self, storage: Storage, sender: Sender, known: Known) -> None:
        self._agents = Agents(sender)
        self._worker = OurWorker(storage, sender, known)
        self._unmarked: dict[str, float] = {}

    def taken_up(self, tasks: Iterable[Task]) -> None:
        """An earlier engine has sent them."""
        self._agents.taken_up(tasks)

    def sent(self, tasks: Iterable[Task], again: Iterable[Task], now_s: float) -> None:
        """They were sent just now. ``again``: those that were ``due``."""
        self._agents.sent((*tasks, *again), now_s)
        self._worker.sent(tasks, now_s)
        self._unmarked.update((task.id, now_s) for task in tasks)

    def answered(self, answer: Answer) -> bool:
        """An answer has come. Tells whether it may be believed."""
        self._unmarked.pop(answer.id, None)
        self._agents.answered(answer)
        return self._worker.believes(answer)

    def still_sent(self, now_s: float) -> list[str]:
        """Those that wait for longer; most are answered before anybody could read that they are sent."""
        found = [name for name, at_s in self._unmarked.items() if now_s - at_s >= LOOK_EVERY_S]
        for name in found:
            del self._unmarked[name]
        return found

    def due(self, find: Find, now_s: float) -> list[Task]:
        """Those whose messages are to be sent once more."""
        return [*self._agents.due(find, now_s), *self._worker.due(find, now_s)]


def known_by_worker(app: Celery, node: str) -> Known:
    """Asks the worker of this node. It raises what kombu does when the broker cannot be reached."""
    worker = f"{OPERATIONS}@{node}"
    inspect = app.control.inspect(destination=[worker], timeout=ANSWER_S, limit=1)

    def known(tasks: Collection[Task]) -> Container[str]:
        names = {task_id(task.id, task.retries): task.id for task in tasks}
        told: dict[str, Any] | None = (inspect.query_task(*names) or {}).get(worker)
        return set(names.values()) if told is None else {names[name] for name in told if name in names}

    return known
