"""The internal CA, and the node certificate that it signs.

Each manager has a CA of its own until it joins a cluster; then it takes the cluster's CA, key included,
and signs its own certificate with it. So whoever trusts the CA trusts whichever node leads.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from orchestrator.clients import consul_home
from orchestrator.clients.files import write_atomically
from orchestrator.clients.keypairs import KEY, KeyPair, install_pair, read_pair
from orchestrator.config import NodeConfig
from orchestrator.model.errors import Refused

CA_NAME = "Cloudify internal CA"
CA_LIFE = timedelta(days=3650)
NODE_LIFE = timedelta(days=825)
# Clocks of members may differ a little; a certificate that is valid tomorrow only helps nobody.
BACKDATED = timedelta(hours=1)

# Consul's servers know each other by this name (``verify_server_hostname``).
CONSUL_SERVER_NAME = "server.dc1.consul"


__all__ = ["KeyPair", "read_pair"]

NODE, POSTGRES = "node", "postgres"
LEAVES = (NODE, POSTGRES)
"""The pairs that the internal CA signs. PostgreSQL reads a key only when it belongs to its own user."""


def ensure_ca(ssl: Path) -> None:
    """Make the internal CA in the folder ``ssl`` unless there is one."""
    if not ((ssl / "ca.pem").exists() and (ssl / "ca.key").exists()):
        install_ca(ssl, new_ca())


def read_ca(ssl: Path) -> KeyPair:
    """The internal CA of this node."""
    return KeyPair((ssl / "ca.pem").read_text(), (ssl / "ca.key").read_text())


def install_ca(ssl: Path, authority: KeyPair) -> None:
    """Replace the internal CA. Raises ``Refused`` when certificate and key do not belong together."""
    _authority(authority)
    # A key without its certificate signs nothing, so a crash between the two leaves no wrong pair in use.
    write_atomically(ssl / "ca.key", authority.key)
    write_atomically(ssl / "ca.pem", authority.certificate, mode=0o644)


def trusted(ssl: Path) -> tuple[str, ...]:
    """The certificates (PEM) of all authorities that this node trusts; the first one is that which signs."""
    found = x509.load_pem_x509_certificates((ssl / "ca.pem").read_bytes())
    return tuple(each.public_bytes(serialization.Encoding.PEM).decode() for each in found)


def trust(ssl: Path, certificates: Iterable[str]) -> None:
    """Trust exactly these authorities from the next look at ``ca.pem`` on."""
    write_atomically(ssl / "ca.pem", "".join(dict.fromkeys(certificates)), mode=0o644)


def sign_with(ssl: Path, authority: KeyPair) -> None:
    """Have certificates signed by another authority that this node trusts already. Can be repeated."""
    _authority(authority)
    if authority.certificate not in trusted(ssl):
        raise Refused("This node does not trust the new CA yet: cfy_manager certificates trust-ca FILE")
    # A key without its certificate signs nothing: after a crash between the two this has to be done again.
    write_atomically(ssl / "ca.key", authority.key)
    trust(ssl, (authority.certificate, *trusted(ssl)))


def folder_of(config: NodeConfig, leaf: str) -> Path:
    """Where the pair of that name lies."""
    folders: Mapping[str, Path] = {NODE: config.paths.ssl, POSTGRES: config.paths.ssl / "postgres"}
    return folders[leaf]


def issue(config: NodeConfig, name: str, leaves: Iterable[str] = LEAVES, life: timedelta = NODE_LIFE) -> None:
    """Sign new certificates for this node, with new keys. Raises ``Refused`` when the CA has ended."""
    authority = read_ca(config.paths.ssl)
    ca, _ = _authority(authority)
    if ca.not_valid_after_utc <= datetime.now(UTC):
        raise Refused(f"The internal CA has ended, on {ca.not_valid_after_utc:%Y-%m-%d}. Renew it: --ca")
    for leaf in leaves:
        _install(config, leaf, sign(authority, name, addresses(config), life))


def read_node(ssl: Path) -> KeyPair:
    """This node's own certificate."""
    return read_pair(ssl)


def read_leaves(config: NodeConfig) -> Mapping[str, KeyPair]:
    """All pairs of this node that the CA has signed."""
    return {leaf: read_pair(folder_of(config, leaf)) for leaf in LEAVES}


def install_leaves(config: NodeConfig, pairs: Mapping[str, KeyPair]) -> None:
    """Replace this node's pairs by these."""
    for leaf, pair in pairs.items():
        _install(config, leaf, pair)


def _install(config: NodeConfig, leaf: str, pair: KeyPair) -> None:
    folder = folder_of(config, leaf)
    if leaf != POSTGRES:
        install_pair(folder, pair, lambda path: _give_to_consul(config, path))
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "ca.pem", read_ca(config.paths.ssl).certificate)
    give_to_postgres(config, folder / "ca.pem")
    install_pair(folder, pair, lambda path: give_to_postgres(config, path))
    give_to_postgres(config, folder)
    folder.chmod(0o700)


def _give_to_consul(config: NodeConfig, path: Path) -> None:
    if path.name == KEY:
        consul_home.share(config, path)


def issued_for(ssl: Path, ca: Path | None = None) -> str | None:
    """The node name in the certificate, when the CA has signed it, be it over or not; None otherwise.

    ``ca``: the CA's certificate; None: the one beside it.
    """
    try:
        certificate = x509.load_pem_x509_certificate((ssl / "node.pem").read_bytes())
        authority = x509.load_pem_x509_certificate((ca or ssl / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((ssl / "node.key").read_bytes(), None)
        certificate.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return None
    if key.public_key() != certificate.public_key():
        return None
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def addresses(config: NodeConfig) -> list[x509.GeneralName]:
    """The names and addresses that a certificate of this node has to have."""
    hosts = dict.fromkeys(["127.0.0.1", config.host_ip, config.api_host, "localhost", CONSUL_SERVER_NAME])
    if config.public_ip:
        hosts[config.public_ip] = None
    return [_general_name(host) for host in hosts]


def covers(config: NodeConfig) -> bool:
    """Whether the node's certificate names all the addresses that the node has now."""
    certificate = x509.load_pem_x509_certificate(read_node(config.paths.ssl).certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(addresses(config)) == set(names)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def new_ca(life: timedelta = CA_LIFE, name: str = CA_NAME) -> KeyPair:
    """An internal CA that nobody has yet."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return _self_signed(subject, ec.generate_private_key(ec.SECP256R1()), life)


def prolong_ca(ssl: Path, life: timedelta = CA_LIFE) -> None:
    """Give the CA a new end, with the key that it has.

    All that it has signed stays good, and whoever has its old certificate trusts it until the old end.
    """
    ca, key = _authority(read_ca(ssl))
    _, *others = trusted(ssl)
    trust(ssl, (_self_signed(ca.subject, key, life).certificate, *others))


def _self_signed(name: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta) -> KeyPair:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(certificate, key)


def sign(authority: KeyPair, name: str, addresses: Iterable[x509.GeneralName], life: timedelta) -> KeyPair:
    """A pair of its own for the node ``name``. Raises ``Refused`` when the CA is none."""
    ca, ca_key = _authority(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    both_ways = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _builder(subject, ca.subject, key.public_key(), min(life, ca.not_valid_after_utc - datetime.now(UTC)))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ways), critical=False)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return _pem(certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now + life
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - BACKDATED)
        .not_valid_after(end)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def certificate_of_ca(text: str) -> str:
    """The certificate of a CA as this module would write it. Raises ``Refused`` when it is none."""
    try:
        found = x509.load_pem_x509_certificate(text.encode())
        is_ca = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Refused("This is no certificate of a CA.") from error
    if not is_ca:
        raise Refused(f"This certificate is no CA's: {found.subject.rfc4514_string()}")
    return found.public_bytes(serialization.Encoding.PEM).decode()


def normal(authority: KeyPair) -> KeyPair:
    """The same CA as this module would write it. Raises ``Refused`` when it is none."""
    return _pem(*_authority(authority))


def _authority(pair: KeyPair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
        key = serialization.load_pem_private_key(pair.key.encode(), None)
    except (ValueError, TypeError) as error:
        raise Refused("The internal CA's certificate or key cannot be read.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Refused("The internal CA's certificate and key do not belong together.")
    return certificate, key


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), plain.decode())


def give_to_postgres(config: NodeConfig, path: Path) -> None:
    """Make the user that PostgreSQL runs as the owner of ``path``, where that is another one."""
    if config.postgres.os_user is not None and os.geteuid() == 0:
        user = pwd.getpwnam(config.postgres.os_user)
        os.chown(path, user.pw_uid, user.pw_gid)
