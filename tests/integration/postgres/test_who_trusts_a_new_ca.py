"""Before a CA is replaced on a member the others are asked, by connecting, whether they are ready for it."""

from __future__ import annotations

import pytest

from orchestrator.clients.shown import POSTGRESQL, Door, doors_of_member
from orchestrator.formation import authority, pki
from orchestrator.model.errors import Refused
from tests.support.postgres_nodes import team

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def member():
    with team() as nodes:
        yield nodes.leader()


@pytest.fixture
def config(member, monkeypatch):
    """A node that has the other member's CA, and sees it as the only other one; by its database alone."""
    monkeypatch.setattr(authority, "_others", lambda config: {"n1": config.host_ip})
    monkeypatch.setattr(
        authority,
        "doors_of_member",
        lambda config, host: {POSTGRESQL: doors_of_member(config, host)[POSTGRESQL]},
    )
    return member.config


def take_up(member):
    pki.issue(member.config, member.name)
    member.postgres.reload()


def test_who_does_not_trust_it_yet_is_named_and_who_does_is_not_in_the_way(member, config):
    old, new = pki.read_ca(config.paths.ssl), pki.new_ca(name="another CA")
    with pytest.raises(Refused, match=r"n1 \(postgresql\) does not trust the new CA yet.*Nothing was"):
        authority.check_sign(config, new)
    pki.trust(config.paths.ssl, (old.certificate, new.certificate))
    take_up(member)
    authority.check_sign(config, new)
    pki.install_ca(config.paths.ssl, old)
    take_up(member)


def test_who_shows_a_certificate_of_another_ca_is_in_the_way_of_dropping_that(member, config):
    old, new = pki.read_ca(config.paths.ssl), pki.new_ca(name="another CA")
    authority.check_drop(config)
    pki.install_ca(config.paths.ssl, new)
    with pytest.raises(Refused, match=r"n1 \(postgresql\) shows no certificate of this node's CA"):
        authority.check_drop(config)
    take_up(member)
    authority.check_drop(config)
    pki.install_ca(config.paths.ssl, old)
    take_up(member)


def test_who_does_not_answer_is_in_the_way_of_both(member, config, monkeypatch):
    closed = {POSTGRESQL: Door(config.host_ip, 1)}
    monkeypatch.setattr(authority, "doors_of_member", lambda *_: closed)
    for check in (lambda: authority.check_sign(config, pki.new_ca()), lambda: authority.check_drop(config)):
        with pytest.raises(Refused, match=r"n1 \(postgresql\) does not answer at .*:1: .*refused"):
            check()
