"""The broker is killed at each step of an operation's life: what it had is gone, and nothing is missing.

The engine ends with its broker, and is started again beside the next one, which knows nothing. So what counts
is what is stored, and the ledger outside of the manager.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.mgmtworker import Job, Workshop, dies, workshop
from tests.support.mgmtworker_killed import POINTS

pytestmark = pytest.mark.integration

DANGEROUS = ("stored, not sent", "answered, not stored")
"""Before, it is not sent again unless somebody looks; after, only the broker knows that it has run."""


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture
def place(built: Workshop) -> Iterator[Workshop]:
    yield built
    built.close()


def lose_broker_at(place: Workshop, job: Job, point: str) -> Counter[str]:
    """Gives how often those have begun of which it is stored that they have ended."""
    process = place.start_to_lose_broker(point)
    place.replace_broker()
    assert dies(process) != 0
    return job.known_to_have_ended()


def goes_on(place: Workshop, job: Job, known: Counter[str]) -> None:
    """Whose success is stored does not run again, and all of it is done in the end."""
    with place.running():
        assert job.ends() == "terminated"
    assert {row.state for row in job.operations().values()} == {"succeeded"}
    begun, ended = job.ledger.count("begin"), job.ledger.count("end")
    assert len(ended) == len(job.operations())
    assert {name: begun[name] for name in known} == known


def test_killed_at_two_steps_in_a_row(place: Workshop) -> None:
    job = place.job("again")
    for point in DANGEROUS:
        known = lose_broker_at(place, job, point)
    goes_on(place, job, known)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_what_may_run_again_goes_on(place: Workshop, point: str) -> None:
    job = place.job("again")
    goes_on(place, job, lose_broker_at(place, job, point))


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_what_must_not_run_twice_never_does(place: Workshop, point: str) -> None:
    job = place.job("once")
    lose_broker_at(place, job, point)
    with place.running():
        ended = job.ends()
    begun = job.ledger.count("begin")
    assert set(begun.values()) == {1}
    states = {name: row.state for name, row in job.operations().items()}
    if ended == "failed":
        # Its answer was in the broker, or on the way there: it ran, and nobody knows.
        assert "Cannot resume - operation not resumable: ops.once" in (place.works.row(job.id).error or "")
        assert any(state == "failed" and begun[name] for name, state in states.items())
    else:
        assert set(states.values()) == {"succeeded"}
