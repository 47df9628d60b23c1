"""What an operation has started itself does not run beside its next attempt; a service that it made stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.mgmtworker import (
    WITHIN_S,
    Job,
    Workshop,
    dies,
    engine_and_worker,
    lives,
    workshop,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture
def job(built: Workshop) -> Iterator[Job]:
    """Each operation starts a process; those called ``start`` do not end before they are released."""
    made = built.job("again", prepare=(("spawn", "create"), ("spawn", "start"), ("hold", "start")))
    yield made
    built.close()
    for pid in (*made.ledger.spawned("create"), *made.ledger.spawned("start")):
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


def test_killed_with_its_worker_an_operation_leaves_nothing_that_runs_beside_the_next_attempt(
    built: Workshop, job: Job
) -> None:
    service = built.start()
    eventually(lambda: len(job.ledger.spawned("start")) == 2, WITHIN_S, "two operations have begun")
    engine, _ = engine_and_worker(service)
    os.kill(engine, signal.SIGKILL)
    dies(service)
    left, services = job.ledger.spawned("start"), job.ledger.spawned("create")
    assert all(map(lives, left)), "the test has nothing to show"

    (job.ledger.folder / "spawn start").unlink()
    with built.running():
        job.begins("start", 4)
        assert not any(map(lives, left))
        job.ledger.release("start")
        assert job.ends() == "terminated"
    assert services
    assert all(map(lives, services)), "what belongs to an operation that has ended may stay"
