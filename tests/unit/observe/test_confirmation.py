"""When a leader turns to the members, and what their word is good for."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from orchestrator.clients.clock import now_s
from orchestrator.config import NodeConfig
from orchestrator.model.office import Office
from orchestrator.model.snapshot import Member
from orchestrator.observe import confirmation
from orchestrator.paths import Paths
from orchestrator.record import office
from orchestrator.record.lease_file import LeaseState
from tasks.tick import TICK_TIME_LIMIT_S
from tests.unit.decide.pictures import FREE, INDEX, TERM, leader, replica

TTL_S, LEFT_S = 3.0, 60.0


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    config = NodeConfig(paths=Paths(run=tmp_path))
    members = {name: Member(name, name) for name in ("n2", "n3")}
    office.remember(config, Office(TERM, INDEX, 1, frozenset(members), members))
    return config


def told(**changes):
    return LeaseState(
        **{"member": True, "term": TERM, "serving": True, "valid_until_s": now_s() + LEFT_S, **changes}
    )


def confirmed_s(config, state, *follow):
    """For how long from now a leader is confirmed when these follow it; and for how long they were asked."""
    asked = []

    def confirm(known, for_s, timeout_s):
        asked.append((known.term, for_s, timeout_s))
        return frozenset(follow)

    clients = SimpleNamespace(config=config, peers=SimpleNamespace(confirm=confirm))
    until_s = confirmation.confirmed_until_s(clients, state, TTL_S)
    return (until_s - now_s() if until_s else 0.0), asked


def test_the_leader_goes_on_for_less_than_the_members_have_promised(config):
    lasts_s, [(term, word_s, timeout_s)] = confirmed_s(config, told(), "n2", "n3")
    assert term == TERM
    assert 0 < lasts_s <= TTL_S - config.timing.guard_margin_s < word_s
    assert timeout_s < LEFT_S


def test_members_that_hang_do_not_use_up_the_time_that_a_tick_may_take(config):
    _, [(_, _, timeout_s)] = confirmed_s(config, told(valid_until_s=now_s() + 300))
    assert timeout_s < TICK_TIME_LIMIT_S / 2


@pytest.fixture
def ready():
    return Event()


@pytest.fixture
def clients(ready):
    return SimpleNamespace(peers=SimpleNamespace(make_ready=ready.set))


def test_a_leader_whom_consul_keeps_waiting_makes_ready_to_ask_its_members(clients, ready):
    with confirmation.made_ready(clients, told()):
        assert ready.wait(30)


def test_a_leader_whom_consul_answers_has_nothing_loaded(clients, ready):
    with confirmation.made_ready(clients, told()):
        (timer,) = timers()
    timer.join()
    assert not ready.is_set()


def test_who_has_nobody_to_ask_does_not_make_ready(clients):
    with confirmation.made_ready(clients, told(serving=False)):
        assert timers() == []


def timers():
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_one_of_two_is_enough_and_none_is_not(config):
    assert confirmed_s(config, told(), "n2")[0] > 0
    assert confirmed_s(config, told())[0] == 0


@pytest.mark.parametrize(
    "changes",
    [{"serving": False}, {"valid_until_s": 1.0}, {"term": TERM + 1}, {"valid_until_s": 0.0}],
    ids=["it is not in office", "its lease is over", "it knows nothing of this office", "it never led"],
)
def test_who_does_not_lead_asks_nobody(config, changes):
    assert confirmed_s(config, told(**changes), "n2", "n3") == (0.0, [])


def test_consul_is_waited_for_no_longer_than_leaves_time_for_the_members(config):
    assert confirmation.patience_s(told(valid_until_s=now_s() + 1.0)) <= 0.5


@pytest.mark.parametrize("changes", [{"serving": False}, {"valid_until_s": 1.0}])
def test_who_has_nobody_to_turn_to_waits_for_consul_as_always(changes):
    assert confirmation.patience_s(told(**changes)) == math.inf


def test_an_office_is_known_from_the_lease_and_the_leaders_own_record(config):
    known = office.of(leader())
    assert (known.term, known.modified, known.k) == (TERM, INDEX, 1)
    assert known.on_record == frozenset({"n2", "n3"})
    assert set(known.members) == {"n2", "n3"}
    office.remember(config, known)
    assert office.read(config) == known


@pytest.mark.parametrize(
    "snapshot",
    [
        replica(),
        replace(leader(), cluster=None),
        leader(cluster={"lease": FREE}),
        leader(cluster={"record": replace(leader().cluster.record, term=TERM - 1)}),
        leader(cluster={"record": replace(leader().cluster.record, leader="n2")}),
    ],
    ids=["a replica", "nothing is seen", "the lease is free", "of an earlier term", "another one's record"],
)
def test_who_is_not_in_office_has_none(snapshot):
    assert office.of(snapshot) is None


def test_an_office_that_cannot_be_read_is_none(config):
    (config.paths.run / "office").write_text("{")
    assert office.read(config) is None
