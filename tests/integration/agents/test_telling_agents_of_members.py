"""The leader tells agents which members there are, until they have said that they know."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from manager.agents.following import Following
from manager.gateway import settings_of
from manager.models import Agent, NodeInstance
from manager.storage import Storage, engine_for
from tests.support.agents import NAME, WITHIN_S, Bed, Member
from tests.support.operations import Bench, bench
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

NEW = ["127.0.0.9", "127.0.0.10"]


class Leader:
    """The database of whoever leads, and its rounds."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.storage = Storage(engine_for(settings_of(bench.config).database, writers=2))
        place = bench.place()
        with bench.session() as session:
            host = session.scalars(select(NodeInstance).where(NodeInstance.id == place.host)).one()
            session.add(Agent(name=NAME, node_instance=host, state="started"))
            session.commit()

    def known(self) -> list[str] | None:
        with self.bench.session() as session:
            return session.scalars(select(Agent.members)).one()

    def round(self, member: Member, members: list[str]) -> None:
        Following(member.app, self.storage, lambda: members).once()


@pytest.fixture(scope="module")
def leader() -> Iterator[Leader]:
    with bench() as made:
        found = Leader(made)
        yield found
        found.storage.close()


def test_an_agent_is_told_until_it_has_said_that_it_knows(place: Bed, leader: Leader):
    first, second = place.members
    both = sorted([first.host, second.host])
    leader.round(first, both)
    assert leader.known() == both
    place.agent.kill()
    leader.round(first, [*both, *NEW])
    assert leader.known() == both
    place.agent.start()
    eventually(first.hears, WITHIN_S, "the agent is back")
    leader.round(first, [*both, *NEW])
    assert leader.known() == sorted([*both, *NEW])
    assert sorted(place.agent.folder.settings().members) == leader.known()


def test_an_agent_follows_a_member_that_it_was_told_of(place: Bed, leader: Leader):
    first, second = place.members
    place.configure(members=(first.host,), rest_port=443)
    leader.round(first, [first.host, second.host])
    first.die()
    second.lead()
    eventually(second.hears, WITHIN_S, "the agent follows the member that has joined")
