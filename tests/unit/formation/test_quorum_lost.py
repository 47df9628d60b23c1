"""Making a cluster of one survivor is refused where it could make a second one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from orchestrator.formation import quorum
from orchestrator.model.errors import Refused
from orchestrator.model.snapshot import Member, MembershipState
from orchestrator.record import known, membership
from orchestrator.record.known import Known
from orchestrator.record.membership import Membership


@pytest.fixture
def cut_off(clients, monkeypatch):
    """``n2`` of three; Consul has no majority. ``reached``: the other members that answer."""
    membership.write(clients.config.paths.membership_file, Membership(MembershipState.MEMBER, "n2"))
    members = {name: Member(name, name) for name in ("n1", "n2", "n3")}
    monkeypatch.setattr(known, "members", lambda _: Known(members).members)
    monkeypatch.setattr(clients.consul, "ready", lambda: False)
    reached = {}
    asked = SimpleNamespace(standings=lambda others, _: {n: reached[n] for n in others if n in reached})
    return replace(clients, peers=asked), reached


def test_nobody_else_is_there(cut_off):
    clients, _ = cut_off
    quorum.check(clients)


def test_a_member_that_can_be_reached_is_not_left_out(cut_off):
    clients, reached = cut_off
    reached["n3"] = "anything"
    with pytest.raises(Refused, match="n3 can be reached"):
        quorum.check(clients)


def test_there_is_nothing_to_recover_while_the_majority_is_there(cut_off, monkeypatch):
    clients, _ = cut_off
    monkeypatch.setattr(clients.consul, "ready", lambda: True)
    monkeypatch.setattr(clients.consul, "voters", lambda: frozenset({"127.0.0.1:1", "127.0.0.2:1"}))
    with pytest.raises(Refused, match="nothing to recover"):
        quorum.check(clients)


def test_what_was_interrupted_after_consul_was_made_goes_on(cut_off, monkeypatch):
    clients, _ = cut_off
    monkeypatch.setattr(clients.consul, "ready", lambda: True)
    quorum.check(clients)


def test_a_manager_that_is_alone_has_nothing_to_recover(clients):
    with pytest.raises(Refused, match="no member"):
        quorum.check(clients)
