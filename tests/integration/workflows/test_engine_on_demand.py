"""An engine is there when there is something for it to do, and only then.

The service of these stories never looks a second time for what it was told, and its engine ends at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.mgmtworker import (
    WITHIN_S,
    Job,
    Workshop,
    children,
    dies,
    engine_and_worker,
    kill,
    lives,
    workshop,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CONNECTIONS = "SELECT state FROM pg_stat_activity WHERE application_name = 'mgmtworker'"
EVERYTHING = 6


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


class Door:
    """The service, and the folder in which its engines say how far they have come."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop, self.folder = workshop, folder
        eventually(lambda: self._connections() == [], WITHIN_S, "what ran before has gone")
        self.process: subprocess.Popen[bytes] = workshop.launch("tests.support.mgmtworker_hasty", str(folder))

    def is_quiet(self) -> bool:
        """Whether it waits beside the database, and nothing else runs."""
        return self._connections() == ["idle"] and not children(self.process.pid)

    def _connections(self) -> list[str]:
        with self.workshop.works.engine.connect() as connection:
            return list(connection.exec_driver_sql(CONNECTIONS).scalars())

    def becomes_quiet(self) -> None:
        eventually(self.is_quiet, WITHIN_S, "no engine runs")

    def says(self, what: str) -> None:
        """Wait until an engine says so, and forget it."""
        file = self.folder / what
        eventually(file.exists, WITHIN_S, f"an engine {what}")
        file.unlink()


@pytest.fixture
def door(built: Workshop, tmp_path: Path) -> Iterator[Door]:
    made = Door(built, tmp_path)
    made.becomes_quiet()
    yield made
    built.close()


def held(door: Door, operation: str = "create") -> Job:
    """An execution that is in the middle of an operation."""
    job = door.workshop.job(prepare=(("hold", operation),))
    job.begins(operation)
    return job


def goes_on(job: Job) -> None:
    """With the next service."""
    job.ledger.release("create")
    with job.workshop.running():
        assert job.ends() == "terminated"
    assert len(job.ledger.count("end")) == EVERYTHING


def test_it_comes_for_an_execution_and_goes_when_that_has_ended(door: Door) -> None:
    for _ in range(2):
        job = door.workshop.job()
        assert job.ends() == "terminated"
        assert len(job.ledger.count("end")) == EVERYTHING
        door.becomes_quiet()


def test_it_stays_while_an_operation_runs(door: Door) -> None:
    job = held(door)
    engine, _ = engine_and_worker(door.process)
    job.ledger.release("create")
    assert job.ends() == "terminated"
    eventually(lambda: not lives(engine), WITHIN_S, "the engine ends")
    assert set(job.ledger.count("begin").values()) == {1}


def test_it_comes_at_the_time_of_a_scheduled_one(door: Door) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    job = door.workshop.job(status="scheduled", scheduled_for=soon)
    assert job.ends() == "terminated"
    started_at = door.workshop.works.row(job.id).started_at
    assert started_at is not None
    assert started_at >= soon


def test_what_is_written_while_it_makes_up_its_mind_is_found(door: Door) -> None:
    (door.folder / "wait").touch()
    assert door.workshop.job().ends() == "terminated"
    door.says("ends")
    job = door.workshop.job()
    (door.folder / "wait").unlink()
    assert job.ends() == "terminated"


def test_what_runs_on_after_its_execution_was_cancelled_by_force_is_not_ended(door: Door) -> None:
    job = held(door)
    job.wish("force_cancelling")
    assert job.ends() == "cancelled"
    # It asks for the second time: so the first answer has not made it end.
    for _ in range(2):
        door.says("asks")
    begun = set(job.ledger.count("begin"))
    job.ledger.release("create")
    eventually(lambda: set(job.ledger.count("end")) == begun, WITHIN_S, "what had begun ends")
    door.becomes_quiet()


def test_killed_everything_ends_with_it_and_the_next_goes_on(door: Door) -> None:
    job = held(door)
    processes = engine_and_worker(door.process)
    kill(door.process)
    eventually(lambda: not any(map(lives, processes)), WITHIN_S, "engine and worker end")
    assert job.ledger.count("end") == {}
    goes_on(job)


def test_asked_to_stop_everything_ends(door: Door) -> None:
    job = held(door)
    processes = engine_and_worker(door.process)
    door.process.terminate()
    dies(door.process)
    eventually(lambda: not any(map(lives, processes)), WITHIN_S, "engine and worker end")
    goes_on(job)


def test_an_engine_that_ends_in_disorder_ends_the_service_and_the_next_goes_on(door: Door) -> None:
    job = held(door)
    engine, _ = engine_and_worker(door.process)
    os.kill(engine, signal.SIGKILL)
    assert dies(door.process) == 1
    goes_on(job)


def test_a_database_that_is_lost_ends_the_service(door: Door) -> None:
    with door.workshop.works.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mgmtworker'"
        )
    assert dies(door.process) == 1
