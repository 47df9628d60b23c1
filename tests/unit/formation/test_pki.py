from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from orchestrator.config import NodeConfig
from orchestrator.formation import pki
from orchestrator.formation.pki import KeyPair
from orchestrator.model.errors import Refused
from orchestrator.paths import Paths


def node(folder, host_ip="10.0.0.1", **more):
    return NodeConfig(host_ip=host_ip, paths=Paths(etc=folder), **more)


@pytest.fixture
def issued(tmp_path):
    config = node(tmp_path, public_ip="manager.example.com")
    pki.ensure_ca(config.paths.ssl)
    pki.issue(config, "n1")
    return config


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_node_certificate_says_who_and_where(issued):
    found = certificate(issued.paths.ssl / "node.pem")
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == {"10.0.0.1", "127.0.0.1"}
    assert set(names.get_values_for_type(x509.DNSName)) == {
        "localhost",
        "server.dc1.consul",
        "manager.example.com",
    }
    uses = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(uses) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert pki.issued_for(issued.paths.ssl) == "n1"


def test_certificates_last_as_long_as_they_should(issued):
    now = datetime.now(UTC)
    ca, own = (certificate(issued.paths.ssl / name) for name in ("ca.pem", "node.pem"))
    assert timedelta(days=3649) < ca.not_valid_after_utc - now < timedelta(days=3651)
    assert timedelta(days=824) < own.not_valid_after_utc - now < timedelta(days=826)
    assert ca.not_valid_before_utc < now
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_keys_are_for_their_owner_only(issued):
    ssl = issued.paths.ssl
    for key in (ssl / "ca.key", ssl / "node.key", ssl / "postgres" / "node.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((ssl / "postgres").stat().st_mode) == 0o700


def test_an_authority_that_is_there_is_kept(issued):
    before = pki.read_ca(issued.paths.ssl)
    pki.ensure_ca(issued.paths.ssl)
    assert pki.read_ca(issued.paths.ssl) == before


def test_another_authority_makes_the_certificate_worthless_until_it_is_signed_again(issued, tmp_path):
    other = tmp_path / "other"
    pki.ensure_ca(other)
    pki.install_ca(issued.paths.ssl, pki.read_ca(other))
    assert pki.issued_for(issued.paths.ssl) is None
    pki.issue(issued, "n7")
    assert pki.issued_for(issued.paths.ssl) == "n7"
    assert pki.issued_for(issued.paths.ssl / "postgres") == "n7"


def test_who_has_the_key_of_the_database_has_not_that_of_the_node(issued):
    folders = [pki.folder_of(issued, leaf) for leaf in pki.LEAVES]
    assert pki.read_pair(folders[0]) != pki.read_pair(folders[1])
    assert {pki.issued_for(folder) for folder in folders} == {"n1"}


def test_a_certificate_does_not_outlive_its_authority(issued):
    pki.issue(issued, "n1", life=2 * pki.CA_LIFE)
    ca, own = (certificate(issued.paths.ssl / name) for name in ("ca.pem", "node.pem"))
    assert own.not_valid_after_utc <= ca.not_valid_after_utc


def test_an_authority_that_has_ended_signs_nothing(issued):
    before = pki.read_node(issued.paths.ssl)
    pki.install_ca(issued.paths.ssl, pki.new_ca(-timedelta(days=1)))
    with pytest.raises(Refused, match="has ended"):
        pki.issue(issued, "n1")
    assert pki.read_node(issued.paths.ssl) == before


def test_a_key_of_another_pair_is_not_taken(issued, tmp_path):
    other = tmp_path / "other"
    pki.ensure_ca(other)
    mixed = KeyPair(pki.read_ca(issued.paths.ssl).certificate, pki.read_ca(other).key)
    with pytest.raises(Refused, match="do not belong together"):
        pki.install_ca(issued.paths.ssl, mixed)
    with pytest.raises(Refused, match="cannot be read"):
        pki.install_ca(issued.paths.ssl, KeyPair("nonsense", "nonsense"))


@pytest.mark.parametrize("lost", ["node.pem", "node.key", "ca.pem"])
def test_a_lost_or_foreign_file_is_noticed(issued, lost, tmp_path):
    (issued.paths.ssl / lost).unlink()
    assert pki.issued_for(issued.paths.ssl) is None
    other = node(tmp_path / "other")
    pki.ensure_ca(other.paths.ssl)
    pki.issue(other, "n2")
    shutil.copy(other.paths.ssl / lost, issued.paths.ssl / lost)
    assert pki.issued_for(issued.paths.ssl) is None


def test_a_certificate_covers_the_addresses_that_the_node_has_now(issued):
    assert pki.covers(issued)
    assert not pki.covers(issued.model_copy(update={"public_ip": "elsewhere.example.com"}))
    assert not pki.covers(issued.model_copy(update={"host_ip": "10.0.0.2"}))
