"""Certificates are checked unless the user says otherwise, and a hang costs no more than a connection may."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cli import wire
from tests.unit.cli.scripted import NETWORK, NOT_LEADER, Cluster, items

USERS = {"GET /users": items({"username": "ann"})}


def self_signed(folder):
    """A certificate for the scripted managers, which is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "scripted")])
    now = dt.datetime.now(dt.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(f"{NETWORK}.{number}")) for number in (1, 2)]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    folder.mkdir()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    unencrypted = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted))
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def secure(tmp_path):
    """Scripted managers over HTTPS, and their CA file."""
    ca_file, key_file = self_signed(tmp_path / "pki")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_file, key_file)
    cluster = Cluster(tls=context)
    yield cluster, ca_file
    cluster.close()


def test_the_ca_file_of_the_profile_is_trusted(cfy, secure):
    cluster, ca_file = secure
    cfy.profile(cluster.add(USERS), port=cluster.port, protocol="https", ca_file=ca_file)
    assert cfy.json("users", "list")


def test_any_other_certificate_is_not(cfy, secure, tmp_path):
    cluster, _ = secure
    manager = cluster.add(USERS)
    other, _ = self_signed(tmp_path / "other")
    for ca_file in (None, other):
        cfy.profile(manager, port=cluster.port, protocol="https", ca_file=ca_file)
        result = cfy("users", "list")
        assert result.exit_code == 3
        assert "certificate is not trusted" in result.stderr
        assert "--ssl-ca-file" in result.stderr
    assert not manager.seen


def test_unless_the_user_says_so(cfy, secure):
    cluster, _ = secure
    cfy.profile(cluster.add(USERS), port=cluster.port, protocol="https", trust_all=True)
    assert cfy.json("users", "list")


def test_a_ca_file_that_is_none(cfy, secure, tmp_path):
    cluster, _ = secure
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        cfy.profile(cluster.add(USERS), port=cluster.port, protocol="https", ca_file=str(tmp_path / name))
        result = cfy("users", "list")
        assert result.exit_code == 1
        assert name in result.stderr


def test_the_wrong_protocol(cfy, managers):
    cfy.profile(managers.add(USERS), port=managers.port, protocol="https")
    result = cfy("users", "list")
    assert result.exit_code == 3
    assert "TLS" in result.stderr


def test_a_member_that_hangs_is_passed_over_in_the_handshake(cfy, secure, monkeypatch):
    """A stopped process: the kernel accepts its connections, and nobody ever answers."""
    monkeypatch.setattr(wire, "CONNECT_TIMEOUT_S", 0.1)
    cluster, ca_file = secure
    cluster.add({})
    leader = cluster.add(USERS)
    with socket.create_server((f"{NETWORK}.9", cluster.port)):
        profile = cfy.profile(leader, port=cluster.port, protocol="https", ca_file=ca_file)
        cfy.store.update(
            profile.name,
            lambda it: it.knowing(
                [
                    {"name": "hung", "host_ip": f"{NETWORK}.9", "online": True, "master": True},
                    {"name": "n2", "host_ip": leader.address},
                ]
            ),
        )
        result = cfy("users", "list", "-v")
    assert result.exit_code == 0, result.stderr
    assert "did not answer within" in result.stderr


def test_a_refused_upload_is_understood_through_tls_too(cfy, secure, tmp_path):
    cluster, ca_file = secure
    where = "PUT /snapshots/s1/archive"
    replica, leader = cluster.add({"*": NOT_LEADER}), cluster.add({where: (201, {"id": "s1"})})
    replica.reads = 1
    cfy.profile(replica, leader, port=cluster.port, protocol="https", ca_file=str(ca_file))
    (tmp_path / "s1.zip").write_bytes(bytes(20_000_000))
    result = cfy("snapshots", "upload", str(tmp_path / "s1.zip"), "-s", "s1", "-v")
    assert result.exit_code == 0, result.stderr
    assert (
        f"PUT https://{replica.address}:{cluster.port}/api/v3.1/snapshots/s1/archive -> 400" in result.stderr
    )
    assert len(leader.seen[0].body) == 20_000_000
