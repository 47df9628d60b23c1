"""The agent is killed at each step of an operation that it runs, and started again by the service manager.

The ledger is a file outside of the agent, in which the operation writes when it begins and when it ends. The
leader asks for what is not answered, as the engine does.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from manager.workflows.sending import broker_of
from tests.support.agent_killed import NOWHERE, POINTS
from tests.support.agents import WITHIN_S, Bed, bed
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

UNKNOWN = "ended, not noted"
"""It has run, and nobody knows."""

ONCE = ["begun", "done"]
FAILED = "The agent was restarted while it ran. It is not resumable, so it is not known how far it came."


class Came(NamedTuple):
    """What came of an operation: why it failed, if it did, and what the ledger says."""

    error: str | None
    ledger: list[str]


OUTCOMES = {
    ("fetched, not noted", "again"): Came(None, ONCE),
    ("fetched, not noted", "once"): Came(None, ONCE),
    ("noted, not begun", "again"): Came(None, ONCE),
    ("noted, not begun", "once"): Came(FAILED, []),
    ("running", "again"): Came(None, ["begun", *ONCE]),
    ("running", "once"): Came(FAILED, ["begun"]),
    ("ended, not noted", "again"): Came(None, [*ONCE, *ONCE]),
    ("ended, not noted", "once"): Came(FAILED, ONCE),
    ("noted, not delivered", "again"): Came(None, ONCE),
    ("noted, not delivered", "once"): Came(None, ONCE),
    ("delivered, not noted", "again"): Came(None, ONCE),
    ("delivered, not noted", "once"): Came(None, ONCE),
}


@pytest.fixture(scope="module")
def standing() -> Iterator[Bed]:
    with bed() as made:
        made.members[0].lead()
        yield made


@pytest.fixture
def place(standing: Bed) -> Iterator[Bed]:
    yield standing
    standing.agent.kill()


def start(place: Bed, point: str) -> subprocess.Popen[bytes]:
    """Start the agent when the broker has noticed that the one before is gone: it would get the message."""
    with broker_of(place.members[0].app) as broker:
        eventually(lambda: not broker.info("clients")["blocked_clients"], WITHIN_S, "nobody fetches")
    return place.agent.start("tests.support.agent_killed", point)


def what_comes_of(place: Bed, point: str, function: str) -> Came:
    leader, agent = place.members[0], place.agent
    ledger = agent.ran.with_name(uuid.uuid4().hex)
    ledger.touch()
    message = agent.message(function, {"ledger": str(ledger)})
    process = start(place, point)
    leader.send(message)
    assert eventually(process.poll, WITHIN_S, "the agent dies") == -9
    start(place, NOWHERE)
    leader.send(message)
    # What comes later has been looked at later: when it is answered, every copy of this one has been.
    later = agent.script()
    leader.send(later)
    leader.answer(message)
    leader.answer(later)
    (error,) = {answer.error for answer in leader.answers() if answer.id == message.id}
    return Came(error, ledger.read_text().split())


def test_the_table_is_whole():
    assert OUTCOMES.keys() == {(point, function) for point in POINTS for function in ("again", "once")}


@pytest.mark.parametrize(
    ("point", "function"),
    [pytest.param(*case, marks=() if case[0] == UNKNOWN else pytest.mark.slow) for case in OUTCOMES],
)
def test_killed_at_each_step_of_an_operation(place: Bed, point: str, function: str):
    assert what_comes_of(place, point, function) == OUTCOMES[point, function]
