"""The engine is killed at each step of an operation's life, and the next one goes on where it stood.

The ledger is a file outside of the manager, in which every operation writes when it begins and when it ends.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.mgmtworker import Job, Workshop, dies, engine_and_worker, kill, workshop
from tests.support.mgmtworker_killed import POINTS

pytestmark = pytest.mark.integration

THINGS = 3
EVERYTHING = 2 * THINGS


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture
def place(built: Workshop) -> Iterator[Workshop]:
    yield built
    built.close()


def nothing_was_lost(job: Job) -> None:
    assert len(job.ledger.count("end")) == EVERYTHING
    assert {row.state for row in job.operations().values()} == {"succeeded"}


def nothing_ran_again(job: Job, known: Counter[str]) -> None:
    """``known``: how often those had begun of which it was known that they had ended."""
    begun = job.ledger.count("begin")
    assert {name: begun[name] for name in known} == known


def test_an_execution_runs_to_its_end(place: Workshop) -> None:
    job = place.job()
    with place.running():
        assert job.ends() == "terminated"
    assert len(job.ledger.count("end")) == EVERYTHING
    assert set(job.site.states().values()) == {"started"}


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_between_nothing_runs_twice_or_is_lost(place: Workshop, point: str) -> None:
    job = place.job()
    assert dies(place.start(point)) == -9
    known = job.known_to_have_ended()
    with place.running():
        assert job.ends() == "terminated"
    nothing_was_lost(job)
    nothing_ran_again(job, known)


@pytest.mark.parametrize("point", ["stored, not sent", "sent", "answered, not stored"])
def test_twice_in_a_row(place: Workshop, point: str) -> None:
    job = place.job()
    for _ in range(2):
        assert dies(place.start(point)) == -9
        known = job.known_to_have_ended()
    with place.running():
        assert job.ends() == "terminated"
    nothing_was_lost(job)
    nothing_ran_again(job, known)


def test_what_ran_and_may_run_again_runs_again(place: Workshop) -> None:
    job = place.job("again")
    job.ledger.tell("hold", "start")
    process = place.start()
    job.begins("start", 2)
    kill(process)
    known = job.known_to_have_ended()
    assert len(known) >= 2
    job.ledger.release("start")
    with place.running():
        assert job.ends() == "terminated"
    nothing_was_lost(job)
    nothing_ran_again(job, known)


def test_what_ran_and_must_not_run_twice_fails_by_name(place: Workshop) -> None:
    job = place.job("once")
    job.ledger.tell("hold", "start")
    process = place.start()
    job.begins("start", 2)
    kill(process)
    with place.running():
        assert job.ends() == "failed"
    assert "Cannot resume - operation not resumable: ops.once" in (place.works.row(job.id).error or "")
    assert set(job.ledger.count("begin").values()) == {1}
    # The error names the operation; the events name each instance on which it was interrupted.
    begun = {name.split()[1] for name in job.ledger.count("begin")}
    failed = place.works.events(job.id, "task_failed")
    assert len(failed) == 2
    assert {event.node_instance_id for event in failed} <= begun


def test_what_must_not_run_twice_and_had_not_begun_runs(place: Workshop) -> None:
    job = place.job("once")
    assert dies(place.start("sent")) == -9
    with place.running():
        ended = job.ends()
    # Its worker may have begun with it before it died as well: then, and only then, it has failed.
    interrupted = set(job.ledger.count("begin")) - set(job.ledger.count("end"))
    assert set(job.ledger.count("begin").values()) == {1}
    assert ended == "terminated" or interrupted


def test_what_an_earlier_engine_sent_is_not_begun_before_it_is_taken_up(place: Workshop) -> None:
    job = place.job("once")
    assert dies(place.start("stored, not sent")) == -9
    place.send_again(job)
    with place.running():
        assert job.ends() == "terminated"
    assert set(job.ledger.count("begin").values()) == {1}


def test_a_broker_that_was_restarted_has_lost_everything_and_nothing_is_missing(place: Workshop) -> None:
    job = place.job()
    job.ledger.tell("hold", "create")
    process = place.start()
    job.begins("create")
    place.restart_broker()
    assert dies(process) != 0
    known = job.known_to_have_ended()
    job.ledger.release("create")
    with place.running():
        assert job.ends() == "terminated"
    nothing_was_lost(job)
    nothing_ran_again(job, known)


def test_a_lost_connection_to_the_database_ends_it_and_the_next_goes_on(place: Workshop) -> None:
    job = place.job()
    job.ledger.tell("hold", "create")
    process = place.start()
    job.begins("create")
    with place.works.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mgmtworker'"
        )
    assert dies(process) != 0
    known = job.known_to_have_ended()
    job.ledger.release("create")
    with place.running():
        assert job.ends() == "terminated"
    nothing_was_lost(job)
    nothing_ran_again(job, known)


def test_without_its_worker_it_ends(place: Workshop) -> None:
    process = place.start()
    job = place.job()
    assert job.ends() == "terminated"
    _, worker = engine_and_worker(process)
    os.kill(worker, signal.SIGKILL)
    assert dies(process) != 0
