"""A message to our own worker that is lost is sent again; one that only waits is not."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from manager.errors import Unavailable
from manager.operations.message import Answer
from manager.workflows.asking import (
    ASK_WORKER_AFTER_S,
    ASK_WORKER_AT_MOST_EVERY_S,
    AT_ONCE,
    LOOK_EVERY_S,
    OurWorker,
)
from manager.workflows.model import OperationState, Task, TaskType

NAMES = [f"task{number}" for number in range(2 * AT_ONCE)]
TASKS = {name: Task(name, name, TaskType.REMOTE, state=OperationState.SENDING) for name in NAMES}
TASK = TASKS[NAMES[0]]
LATER_S = ASK_WORKER_AFTER_S
NOT_STARTED = Answer(id=TASK.id, attempt=0, outcome="not_started")


@dataclass
class World:
    """The broker, the database and the worker, as far as they are asked."""

    queued: bool = False
    away: bool = False
    begun: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    under_way: dict[str, Task] = field(default_factory=lambda: dict(TASKS))

    def operations_wait(self):
        return self.queued

    @contextmanager
    def reading(self):
        if self.away:
            raise Unavailable("It is away.")
        yield self

    def scalars(self, _, given):
        return [name for name in given["ids"] if name not in self.begun]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def worker(world) -> OurWorker:
    """It was given one operation at 0 s."""
    made = OurWorker(world, world, lambda _: world.known)
    made.sent([TASK], 0.0)
    return made


def test_what_nobody_knows_of_is_sent_again(worker, world):
    assert worker.due(world.under_way.get, LATER_S) == [TASK]


def test_what_was_sent_lately_is_waited_for(worker, world):
    assert worker.due(world.under_way.get, LATER_S - 0.1) == []


def test_while_operations_are_in_the_queue_none_is_lost(worker, world):
    world.queued = True
    assert worker.due(world.under_way.get, LATER_S) == []
    world.queued = False
    assert worker.due(world.under_way.get, LATER_S + LOOK_EVERY_S) == [TASK]


def test_what_the_worker_has_fetched_waits_behind_others(worker, world):
    world.known = {TASK.id}
    assert worker.due(world.under_way.get, LATER_S) == []


def test_what_has_begun_is_never_sent_again(worker, world):
    world.begun = {TASK.id}
    assert worker.due(world.under_way.get, LATER_S) == []
    world.begun = set()
    assert worker.due(world.under_way.get, 100 * LATER_S) == []


def test_what_is_not_under_way_is_forgotten(worker, world):
    del world.under_way[TASK.id]
    assert worker.due(world.under_way.get, LATER_S) == []
    assert worker._waiting == {}


def test_a_database_that_is_away_is_asked_later(worker, world):
    world.away = True
    assert worker.due(world.under_way.get, LATER_S) == []
    world.away = False
    assert worker.due(world.under_way.get, LATER_S + LOOK_EVERY_S) == [TASK]


def test_the_pauses_double_up_to_a_bound(worker, world):
    sent_at_s = [at for at in range(2000) if worker.due(world.under_way.get, float(at))]
    pauses = [after - before for before, after in pairwise(sent_at_s)]
    assert pauses[:3] == [2 * LATER_S, 4 * LATER_S, 8 * LATER_S]
    assert set(pauses[4:]) == {ASK_WORKER_AT_MOST_EVERY_S}


def test_many_are_asked_for_in_parts(worker, world):
    worker.sent(TASKS.values(), 0.0)
    first, second = (worker.due(world.under_way.get, LATER_S + n * LOOK_EVERY_S) for n in range(2))
    assert first + second == list(TASKS.values())
    assert len(first) == AT_ONCE


def test_an_only_copy_that_could_not_begin_is_believed(worker):
    assert worker.believes(NOT_STARTED)


@pytest.mark.parametrize("begun", [False, True])
def test_of_two_copies_one_that_could_not_begin_is_not_believed(worker, world, begun):
    """The other one may run: it must not be sent a third time as if nothing had."""
    worker.due(world.under_way.get, LATER_S)
    world.begun = {TASK.id} if begun else set()
    worker.due(world.under_way.get, 10 * LATER_S)
    assert not worker.believes(NOT_STARTED)
    assert worker.believes(Answer(id=TASK.id, attempt=0, outcome="succeeded"))


def test_another_attempt_has_one_copy_again(worker, world):
    worker.due(world.under_way.get, LATER_S)
    worker.sent([TASK], 2 * LATER_S)
    assert worker.believes(NOT_STARTED)
