"""A leader asks the other members over real SSH daemons whether they follow it, and they keep their word."""

from __future__ import annotations

import json

import pytest

from orchestrator.clients import ssh_files
from orchestrator.clients.clock import now_s
from orchestrator.clients.peers import Peers
from orchestrator.model.errors import Bound
from orchestrator.model.office import Office
from orchestrator.record import lease_file, promises, word
from orchestrator.record.lease_file import LeaseState
from tests.support.addresses import network
from tests.support.sshd import SshNode, node_config

TERM, BEGAN_AT = 7, 50
WORD_S, TIMEOUT_S = 60.0, 10.0
FOLLOWS = LeaseState(member=True, term=TERM, leader="n1")


@pytest.fixture
def leader(short_path):
    config = node_config(short_path / "n1", f"{network(92)}.1", fence_connect_timeout_s=5.0)
    with SshNode("n1", config) as node:
        yield node


@pytest.fixture
def members(short_path, leader):
    """Two members that follow the leader, each with its daemon."""
    nodes = []
    for number in (2, 3):
        config = node_config(short_path / f"n{number}", f"{network(92)}.{number}")
        config = config.model_copy(update={"ports": leader.config.ports})
        nodes.append(SshNode(f"n{number}", config))
    with nodes[0], nodes[1]:
        for node in nodes:
            ssh_files.authorise(node.config, [leader.member])
            node.start_daemon()
            lease_file.write(node.config.paths.lease_file, FOLLOWS)
        yield {node.member.name: node for node in nodes}


@pytest.fixture
def ask(leader, members):
    def asked(term=TERM, modified=BEGAN_AT):
        office = Office(term, modified, 0, frozenset(), {name: node.member for name, node in members.items()})
        return Peers(leader.config, "n1").confirm(office, WORD_S, TIMEOUT_S)

    return asked


def test_who_follows_says_so_and_is_bound_by_it(ask, members):
    assert ask() == {"n2", "n3"}
    given = word.read(members["n2"].config)
    assert given.term == TERM
    assert 0 < given.until_s - now_s() <= WORD_S
    with pytest.raises(Bound, match="the leader of term 7 has this node's word"):
        word.require_free(members["n2"].config)


@pytest.mark.parametrize(
    "known",
    [
        LeaseState(member=True, term=TERM + 1, leader="n1"),
        LeaseState(member=True, term=TERM, leader="n3"),
        LeaseState(member=True, term=TERM, leader=None),
        LeaseState(member=True, removed=True, term=TERM, leader="n1"),
        LeaseState(member=False, term=TERM, leader="n1"),
    ],
    ids=["of another term", "another leads", "nobody leads", "it was removed", "it is no member"],
)
def test_who_knows_otherwise_says_no_and_is_not_bound(ask, members, known):
    lease_file.write(members["n2"].config.paths.lease_file, known)
    assert ask() == {"n3"}
    word.require_free(members["n2"].config)


def test_who_has_promised_in_a_later_round_says_no_and_is_not_bound(ask, members):
    promises.promise_round(members["n2"].config.paths.promise_file, BEGAN_AT + 1)
    assert ask() == {"n3"}
    word.require_free(members["n2"].config)


def test_a_promise_in_an_earlier_round_is_over(ask, members):
    promises.promise_round(members["n2"].config.paths.promise_file, BEGAN_AT - 1)
    assert ask() == {"n2", "n3"}


def test_a_promise_that_cannot_be_read_is_not_taken_for_none(ask, members):
    members["n2"].config.paths.promise_file.parent.mkdir(parents=True, exist_ok=True)
    members["n2"].config.paths.promise_file.write_text("{")
    assert ask() == {"n3"}


def test_who_knew_that_before_its_machine_was_started_says_no(ask, members):
    path = members["n2"].config.paths.lease_file
    path.write_text(json.dumps({**json.loads(path.read_text()), "written_at_s": now_s() + 1000}))
    assert ask() == {"n3"}


def test_a_word_of_before_the_machine_was_started_binds_nobody(ask, members):
    assert "n2" in ask()
    path = members["n2"].config.paths.word_file
    path.write_text(json.dumps({**json.loads(path.read_text()), "written_at_s": now_s() + 1000}))
    word.require_free(members["n2"].config)


def test_who_lets_this_node_ask_for_nothing_does_not_say_yes(ask, members):
    ssh_files.authorise(members["n3"].config, [])
    assert ask() == {"n2"}


def test_whom_an_earlier_version_let_in_is_answered_after_an_installation_over_it(ask, members):
    config = members["n2"].config
    keys = ssh_files.authorized_keys(config)
    keys.write_text(keys.read_text().replace(f" {config.paths.word_file}", ""))
    assert ask() == {"n3"}
    ssh_files.prepare(config)
    assert ask() == {"n2", "n3"}


def test_a_leader_of_another_term_is_not_confirmed(ask):
    assert ask(term=TERM - 1) == frozenset()
