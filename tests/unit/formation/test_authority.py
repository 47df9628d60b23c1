"""The CA is replaced in three steps on a node; whether other members are ready is a story of a cluster."""

from __future__ import annotations

import stat

import pytest

from orchestrator.formation import authority, pki
from orchestrator.model.errors import Refused


@pytest.fixture
def new(tmp_path):
    authority.make(tmp_path / "new-ca.pem")
    return authority.read((tmp_path / "new-ca.pem").read_text())


@pytest.fixture
def ssl(clients):
    return clients.config.paths.ssl


def test_a_new_ca_is_for_its_owner_only_and_not_written_over_another_one(tmp_path):
    file = tmp_path / "new-ca.pem"
    authority.make(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(Refused, match="exists already"):
        authority.make(file)


def test_first_both_are_trusted_and_the_old_one_signs(clients, ssl, new):
    old = pki.read_ca(ssl)
    for _ in range(2):
        authority.trust(clients, new.certificate)
        assert pki.trusted(ssl) == (old.certificate, new.certificate)
    assert (ssl / "postgres" / "ca.pem").read_text() == old.certificate + new.certificate
    assert pki.issued_for(ssl)


def test_then_the_new_one_signs_and_both_are_trusted(clients, ssl, new):
    old = pki.read_ca(ssl)
    authority.trust(clients, new.certificate)
    for _ in range(2):
        authority.sign(clients, new)
        assert pki.trusted(ssl) == (new.certificate, old.certificate)
    (ssl / "new.pem").write_text(new.certificate)
    assert all(pki.issued_for(pki.folder_of(clients.config, leaf), ssl / "new.pem") for leaf in pki.LEAVES)


def test_at_last_the_new_one_alone_is_trusted(clients, ssl, new):
    authority.trust(clients, new.certificate)
    authority.sign(clients, new)
    for _ in range(2):
        authority.drop(clients)
        assert pki.trusted(ssl) == (new.certificate,)
    assert (ssl / "postgres" / "ca.pem").read_text() == new.certificate


def test_it_can_be_given_up_after_the_first_step(clients, ssl, new):
    old = pki.read_ca(ssl)
    authority.trust(clients, new.certificate)
    authority.drop(clients)
    assert pki.read_ca(ssl) == old


def test_a_ca_that_this_node_does_not_trust_signs_nothing(clients, ssl, new):
    old = pki.read_ca(ssl)
    with pytest.raises(Refused, match="does not trust the new CA yet"):
        authority.sign(clients, new)
    assert pki.read_ca(ssl) == old


def test_what_is_no_ca_is_not_trusted(clients, ssl):
    old = pki.read_ca(ssl)
    for text, message in ((pki.read_node(ssl).certificate, "no CA's: CN="), ("nonsense", "no certificate")):
        with pytest.raises(Refused, match=message):
            authority.trust(clients, text)
    assert pki.read_ca(ssl) == old


def test_a_step_that_was_killed_between_key_and_certificate_is_made_good_by_the_next(clients, ssl, new):
    authority.trust(clients, new.certificate)
    (ssl / "ca.key").write_text(new.key)
    authority.sign(clients, new)
    assert pki.trusted(ssl)[0] == new.certificate
    assert pki.issued_for(ssl)
