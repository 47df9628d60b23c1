"""A node whose passing checks the servers do not know of could never lead: it has them told again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestrator.model.action import Plan
from orchestrator.record.status import Reporter
from tests.unit.decide.pictures import replica

ALL = frozenset({"consul", "heartbeat", "guard", "database", "services"})


class Agent:
    """Remembers what it was asked to tell."""

    def __init__(self):
        self.told = []

    def tell_servers_again(self, checks):
        self.told.append(checks)

    def __getattr__(self, _):
        return lambda *_: None


@pytest.fixture
def agent():
    return Agent()


@pytest.fixture
def look(agent, tmp_path):
    """Lets the node look once, and see these of its checks pass."""
    config = SimpleNamespace(paths=SimpleNamespace(outbox_file=tmp_path / "outbox"))
    reporter = Reporter(SimpleNamespace(consul=agent, config=config), "1", fail_fast=True)

    def at_servers(passing):
        reporter.report(replica(cluster={"health": {"n2": passing}}), Plan("following"))

    return at_servers


def test_what_is_known_is_not_told_again(look, agent):
    look(ALL)
    look(ALL)
    assert agent.told == []


def test_news_takes_a_moment(look, agent):
    look(ALL - {"guard"})
    look(ALL)
    look(ALL - {"guard"})
    assert agent.told == []


def test_news_that_was_lost_is_told_again(look, agent):
    look(ALL - {"guard", "heartbeat"})
    look(ALL - {"guard"})
    assert agent.told == [{"guard"}]


def test_a_node_that_the_servers_take_for_dead_has_nothing_to_tell(look, agent):
    look(frozenset())
    look(frozenset())
    assert agent.told == []
