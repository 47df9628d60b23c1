"""A join: what is refused changes nothing, and what fails half-way leaves the manager as it was."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.clients import consul_agent
from orchestrator.clients.clock import now_s
from orchestrator.formation import emptiness, join, keeping, pki
from orchestrator.formation.join import JoinRequest
from orchestrator.model.errors import BadOption, Conflict, FormationFailed, Refused
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import lease_file, membership
from orchestrator.record.membership import Membership

REACHABLE = "127.0.0.9"


@pytest.fixture(autouse=True)
def reachable(monkeypatch):
    def connect(address, timeout):
        if address[0] != REACHABLE:
            raise ConnectionRefusedError("refused")
        return open("/dev/null", "rb")  # noqa: PTH123 - all that is asked of it is to be closed

    monkeypatch.setattr(join.socket, "create_connection", connect)
    monkeypatch.setattr(join, "RETRY_S", 0.0)


@pytest.fixture
def request_(leading, clients):
    invitation = join.invite(leading, "n2", "127.0.0.1")
    relayed = json.loads(json.dumps([invitation.credentials, invitation.required]))
    return JoinRequest("127.0.0.1", "n2", (REACHABLE,), *relayed)


def everything(config):
    """All files of the node with their contents, and who may read them."""
    return {
        str(path.relative_to(config.paths.etc.parent)): (path.read_bytes(), path.stat().st_mode)
        for path in sorted(config.paths.etc.parent.rglob("*"))
        if path.is_file()
    }


def owner(config):
    return (config.paths.postgres_data / "owner").read_text()


def state(config):
    return membership.read(config.paths.membership_file).state


def test_a_join_makes_a_replica(clients, request_, leading, world):
    said = []
    join.join(clients, request_, said.append)
    config = clients.config
    assert state(config) is MembershipState.MEMBER
    assert owner(config) == "n1"
    assert pki.issued_for(config.paths.ssl) == "n2"
    assert pki.read_ca(config.paths.ssl) == pki.read_ca(leading.config.paths.ssl)
    assert not keeping.has_database_aside(config)
    assert not list(config.paths.state.glob("before-*"))
    assert world.calls[-1] == "services.start restservice"
    assert said[-1] == "n2 is a replica now."
    agent = json.loads(consul_agent.agent_file(config).read_text())
    assert "bootstrap_expect" not in agent
    assert agent["retry_join"] == [f"{REACHABLE}:8301"]
    assert agent["encrypt"] == "gossip"


def test_a_join_that_came_twice_is_done_once(clients, request_, world):
    join.join(clients, request_, print)
    world.calls.clear()
    join.join(clients, request_, print)
    assert world.calls == ["services.stop restservice", "services.start restservice"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host_ip": "manager.example.com"}, "hostname cannot be used"),
        ({"host_ip": "127.0.0.2"}, "configured for 127.0.0.1, not for 127.0.0.2"),
        ({"node_name": "no name"}, "cannot be a node name"),
        ({"options": {"colour": "blue"}}, "Valid options: "),
        ({"options": {"check_ttl_multiplier": "many"}}, "does not take 'many'"),
        ({"required": {}}, "in the cluster None"),
        ({"credentials": {"authority": "nonsense"}}, "not those that a leader hands out"),
    ],
)
def test_a_wrong_request_is_refused_and_nothing_is_changed(clients, request_, world, changes, complaint):
    before = everything(clients.config)
    with pytest.raises(Refused, match=complaint):
        join.join(clients, replace(request_, **changes), print)
    assert everything(clients.config) == before
    assert world.calls == []


def test_the_refusal_of_an_option_has_its_own_kind(clients, request_):
    with pytest.raises(BadOption):
        join.join(clients, replace(request_, options={"colour": "blue"}), print)


def test_another_version_is_refused_and_both_are_said(clients, request_):
    with pytest.raises(Refused, match=r"here 0\.1\.0, in the cluster 9\.9"):
        join.join(clients, replace(request_, required={**request_.required, "version": "9.9"}), print)


def test_nobody_can_be_reached(clients, request_):
    credentials = {**request_.credentials, "members": {"n1": "127.0.0.8"}}
    request = replace(request_, join_addrs=("127.0.0.7",), credentials=credentials)
    with pytest.raises(Refused, match=r"No member .* 127\.0\.0\.7:1: refused; 127\.0\.0\.8:1: refused"):
        join.join(clients, request, print)


def test_a_manager_that_is_not_empty_is_refused_and_told_what_is_there(clients, request_, monkeypatch):
    monkeypatch.setattr(emptiness, "contents", lambda _: ("2 blueprints", "1 extra user"))
    with pytest.raises(Conflict, match="2 blueprints, 1 extra user"):
        join.join(clients, request_, print)


@pytest.mark.parametrize(
    ("found", "complaint"),
    [(MembershipState.MEMBER, "already belongs"), (MembershipState.REMOVED, "removed")],
)
def test_a_member_of_any_cluster_is_refused(clients, request_, found, complaint):
    membership.write(clients.config.paths.membership_file, Membership(found, "other"))
    with pytest.raises(Conflict, match=complaint):
        join.join(clients, request_, print)


@pytest.mark.parametrize(
    "step",
    [
        "services.start consul",
        "consul.register_checks",
        "consul.put_member",
        "postgres.write_config",
        "postgres.stop",
        "postgres.base_backup",
        "postgres.set_upstream",
        "postgres.start",
        "postgres.wait_receiving",
        "consul.pass_check",
    ],
)
def test_whatever_fails_the_manager_is_as_it_was(clients, request_, world, step, monkeypatch):
    config = clients.config.model_copy(
        update={"timing": clients.config.timing.model_copy(update={"join_timeout_s": 0.01})}
    )
    clients = replace(clients, config=config)
    monkeypatch.setattr(join, "STREAM_TIMEOUT_S", 0.01)
    before = everything(config)
    world.fails = {step}

    def say(message):
        # The way back works: what was broken is so for the way there.
        if message.startswith("It did not succeed"):
            world.fails = set()

    with pytest.raises(FormationFailed, match="does not work"):
        join.join(clients, request_, say)
    after = everything(config)
    own_records = {"state/membership.json", "etc/ssh/authorized_keys"}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= own_records
    assert state(config) is MembershipState.ALONE
    assert owner(config) == "own"
    assert "consul" not in clients.services.running()


def test_the_way_back_goes_in_this_order(clients, request_, world, monkeypatch):
    """Out of Consul while the cluster's certificates are there; the database last, with its old ones."""
    monkeypatch.setattr(join, "STREAM_TIMEOUT_S", 0.01)
    world.fails = {"postgres.wait_receiving"}
    with pytest.raises(FormationFailed):
        join.join(clients, request_, print)
    began = max(place for place, call in enumerate(world.calls) if call == "postgres.wait_receiving")
    assert world.calls[began + 1 :] == [
        "consul.forget_member",
        "consul.leave",
        "services.stop consul",
        "postgres.stop",
        "postgres.detach",
        "postgres.write_config",
        "postgres.start",
    ]


def test_a_cluster_that_is_gone_does_not_keep_a_join_from_being_undone(clients, request_, world, monkeypatch):
    monkeypatch.setattr(join, "STREAM_TIMEOUT_S", 0.01)
    world.fails = {"postgres.wait_receiving", "consul.forget_member", "consul.leave"}
    with pytest.raises(FormationFailed):
        join.join(clients, request_, print)
    assert state(clients.config) is MembershipState.ALONE
    assert owner(clients.config) == "own"


def test_a_way_back_that_fails_is_gone_again_at_the_next_try(clients, request_, world, monkeypatch):
    monkeypatch.setattr(join, "STREAM_TIMEOUT_S", 0.01)
    world.fails = {"postgres.wait_receiving", "postgres.detach"}
    with pytest.raises(FormationFailed, match="could not all be undone"):
        join.join(clients, request_, print)
    assert state(clients.config) is MembershipState.JOINING
    world.fails = set()
    world.view = replace(world.view, members={"n1": world.view.members["n1"]})
    join.join(clients, request_, print)
    assert state(clients.config) is MembershipState.MEMBER
    assert owner(clients.config) == "n1"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["services.start consul", "postgres.base_backup", "consul.pass_check"])
def test_a_join_that_was_killed_is_mended_by_the_next(clients, request_, world, step, monkeypatch):
    before = everything(clients.config)

    def kill(call, *_):
        world.calls.append(call)
        if call == step:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(world, "note", kill)
        with pytest.raises(Killed):
            join.join(clients, request_, print)
    assert state(clients.config) is MembershipState.JOINING

    world.fails = {"consul.ready"}
    monkeypatch.setattr("orchestrator.formation.steps.CONSUL_TIMEOUT_S", 0.01)
    with pytest.raises(FormationFailed):
        join.join(clients, request_, print)
    after = everything(clients.config)
    assert {name: after[name] for name in before} == before
    assert owner(clients.config) == "own"

    world.fails = set()
    join.join(clients, request_, print)
    assert owner(clients.config) == "n1"
    assert state(clients.config) is MembershipState.MEMBER


def test_no_secret_is_shown(request_, leading):
    invitation = join.invite(leading, "n3", "127.0.0.3")
    authority = pki.read_ca(leading.config.paths.ssl)
    for shown in map(repr, (invitation, request_, authority)):
        assert "PRIVATE KEY" not in shown
        assert "gossip" not in shown


@pytest.mark.parametrize(
    ("name", "host_ip", "error", "complaint"),
    [
        ("n1", "127.0.0.3", Conflict, "a node 'n1'"),
        ("N1", "127.0.0.3", Conflict, "a node 'n1'"),
        ("gone", "127.0.0.3", Conflict, "cannot be used again"),
        ("n3", "127.0.0.9", Conflict, "has the address"),
        ("n3", "host.example.com", Refused, "hostname"),
        ("n 3", "127.0.0.3", Refused, "node name"),
    ],
)
def test_who_is_not_invited(leading, world, name, host_ip, error, complaint):
    world.view = replace(world.view, removed=frozenset({"Gone"}))
    with pytest.raises(error, match=complaint):
        join.invite(leading, name, host_ip)


def test_while_it_joins_clients_are_told_that_it_is_no_leader(clients, request_, monkeypatch):
    """What they wrote would be replaced by the cluster's data."""
    told = []
    copy = join._copy_database

    def copied(*arguments):
        told.append(lease_file.read(clients.config.paths.lease_file))
        copy(*arguments)

    monkeypatch.setattr(join, "_copy_database", copied)
    join.join(clients, request_, lambda _: None)
    (state_then,) = told
    assert state_then.member
    assert not state_then.leads(now_s())
    assert state_then.settled


def test_what_was_written_after_the_first_look_ends_the_join(clients, request_, monkeypatch):
    found = [(), ("1 blueprint",)]
    monkeypatch.setattr(emptiness, "contents", lambda _: found.pop(0))
    with pytest.raises(
        FormationFailed, match="not empty, and a cluster's data would replace it: 1 blueprint"
    ):
        join.join(clients, request_, lambda _: None)
    assert state(clients.config) is MembershipState.ALONE
    assert lease_file.read(clients.config.paths.lease_file) is None
