"""The broker loses what the engine has sent to its own worker: it is sent again, and nothing runs twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mgmtworker import Job, Workshop, kill, workshop
from tests.support.mgmtworker_forgotten import HOW

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture
def place(built: Workshop) -> Iterator[Workshop]:
    yield built
    built.close()


def each_ran_once(job: Job) -> bool:
    begun, ended = job.ledger.count("begin"), job.ledger.count("end")
    return len(begun) == 6 and begun == ended and set(begun.values()) == {1}


@pytest.mark.parametrize("how", HOW)
def test_an_execution_ends_whose_messages_were_lost(place: Workshop, how: str) -> None:
    process = place.launch("tests.support.mgmtworker_forgotten", how, "1")
    job = place.job("once")
    assert job.ends() == "terminated"
    assert each_ran_once(job)
    assert {row.retries for row in job.operations().values()} == {0}
    assert process.poll() is None, "the engine had to be started again"
    kill(process)


def test_also_when_they_are_lost_again(place: Workshop) -> None:
    place.launch("tests.support.mgmtworker_forgotten", "the queue is deleted", "2")
    job = place.job("once")
    assert job.ends() == "terminated"
    assert each_ran_once(job)


def test_what_runs_for_long_is_not_sent_again(place: Workshop) -> None:
    """An execution begins, loses its messages and ends while another one holds its operations."""
    place.launch("tests.support.mgmtworker_forgotten", "the queue is deleted", "1")
    held = place.job("once", prepare=(("hold", "start"),))
    held.begins("start", 2)
    other = place.job("once")
    assert other.ends() == "terminated"
    held.ledger.release("start")
    assert held.ends() == "terminated"
    assert each_ran_once(held)
    assert each_ran_once(other)
