"""The certificates and keys of this node: what each is for, how long it lasts, and whether it is in use.

As a program, ``python -m orchestrator.formation.certificates``, it tells this as JSON for the node that
``CLOUDIFY_CONFIG`` names. It reads the files and connects to the services, so that nothing has to run.
"""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from orchestrator.clients import shown, ssh_files
from orchestrator.config import NodeConfig, load
from orchestrator.formation import pki
from orchestrator.model.errors import ClusterError

WARN_BEFORE = timedelta(days=30)
WARN_OF_CA_BEFORE = timedelta(days=180)
"""Clients and agents have a copy of it, and people have to give them another one."""

CA, SSH_HOST, SSH_MEMBER = "ca", "ssh-host", "ssh-member"

PURPOSES: Mapping[str, str] = {
    CA: "the internal CA, which all members share: signs the other ones",
    pki.NODE: "Consul (server, and client of its API), REST service, broker",
    pki.POSTGRES: "PostgreSQL: server, and client when it replicates",
    SSH_HOST: "this node's SSH daemon, known to the other members",
    SSH_MEMBER: "with it this node may fence the other members, ask for their word, and read their files",
}

TRUSTED = "trusted as well, while the CA is being replaced"

SERVICES: Mapping[str, tuple[str, ...]] = {
    pki.NODE: (shown.CONSUL, shown.REST, shown.BROKER),
    pki.POSTGRES: (shown.POSTGRESQL,),
}

REMEDIES: Mapping[str, str] = {
    CA: "Renew it on each member, then give ca.pem to the clients: cfy_manager certificates renew --ca",
    **dict.fromkeys(pki.LEAVES, "Renew it: cfy_manager certificates renew"),
}

IN_USE, NOT_YET, SILENT, FOREIGN = "in use", "shows another one", "does not answer", "shows a foreign one"


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate, or a key without an end. Times are in UTC, to the second; ``days_left`` rounds down.

    ``state``: ``ok``, ``ends soon``, ``ended``, ``ends never``, or what is wrong with it.
    ``services``: what each service that has it shows to whoever connects now.
    """

    name: str
    purpose: str
    file: str
    state: str
    subject: str | None = None
    names: tuple[str, ...] = ()
    issuer: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    days_left: int | None = None
    fingerprint: str | None = None
    services: Mapping[str, str] | None = None


def all_of(config: NodeConfig, *, look: bool = True) -> tuple[Found, ...]:
    """Every certificate and key of this node. ``look``: the services that show them are asked as well."""
    now = datetime.now(UTC)
    authorities = _authorities(config, now)
    leaves = [_leaf(config, leaf, now, look=look) for leaf in pki.LEAVES]
    keys = [_key(config, SSH_HOST, ssh_files.HOST_KEY), _key(config, SSH_MEMBER, ssh_files.CLIENT_KEY)]
    return (*authorities, *leaves, *keys)


def warnings(config: NodeConfig) -> tuple[str, ...]:
    """What an operator should know: a sentence for each that has ended, ends soon, or cannot be used."""
    return tuple(_warnings(all_of(config, look=False)))


def _warnings(found: tuple[Found, ...]) -> Iterator[str]:
    for each in found:
        if each.state == "ended":
            yield f"The certificate {each.name} ENDED on {each.valid_until}. {_remedy(each)}"
        elif each.state == "ends soon":
            yield f"The certificate {each.name} ends in {each.days_left} days. {_remedy(each)}"
        elif each.state not in {"ok", "ends never"}:
            yield f"{each.name}: {each.state} ({each.file}). {_remedy(each)}"


def _remedy(found: Found) -> str:
    return REMEDIES.get(found.name, "See docs/how-to/certificates.md.")


def state_of(certificate: x509.Certificate, now: datetime, warn_before: timedelta) -> str:
    """How a certificate is at this moment, in a word or two."""
    if certificate.not_valid_after_utc <= now:
        return "ended"
    if certificate.not_valid_before_utc > now:
        return "is not valid yet: is the clock right?"
    return "ends soon" if certificate.not_valid_after_utc - now < warn_before else "ok"


def _authorities(config: NodeConfig, now: datetime) -> Iterator[Found]:
    """The one that signs, and others that are trusted while it is being replaced."""
    file = config.paths.ssl / "ca.pem"
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        yield Found(CA, PURPOSES[CA], str(file), _unreadable(error))
        return
    for place, certificate in enumerate(found):
        name, purpose = (f"{CA}-{place + 1}", TRUSTED) if place else (CA, PURPOSES[CA])
        yield _found(name, purpose, file, certificate, state_of(certificate, now, WARN_OF_CA_BEFORE))


def _leaf(config: NodeConfig, name: str, now: datetime, *, look: bool) -> Found:
    file = pki.folder_of(config, name) / "node.pem"
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        return Found(name, PURPOSES[name], str(file), _unreadable(error))
    state = state_of(certificate, now, WARN_BEFORE)
    if pki.issued_for(file.parent, config.paths.ssl / "ca.pem") is None:
        state = "is not signed by the CA beside it, or its key is another one's"
    services = _services(config, name, certificate) if look else None
    return _found(name, PURPOSES[name], file, certificate, state, services)


def _found(  # noqa: PLR0913 - what a certificate does not say of itself
    name: str,
    purpose: str,
    file: Path,
    certificate: x509.Certificate,
    state: str,
    services: Mapping[str, str] | None = None,
) -> Found:
    return Found(
        name=name,
        purpose=purpose,
        file=str(file),
        state=state,
        subject=_common_name(certificate.subject),
        names=_names(certificate),
        issuer=_common_name(certificate.issuer),
        valid_from=_moment(certificate.not_valid_before_utc),
        valid_until=_moment(certificate.not_valid_after_utc),
        days_left=(certificate.not_valid_after_utc - datetime.now(UTC)).days,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":"),
        services=services,
    )


def _services(config: NodeConfig, name: str, certificate: x509.Certificate) -> Mapping[str, str]:
    own = certificate.public_bytes(serialization.Encoding.DER)
    asked = [service for service in SERVICES.get(name, ()) if service in shown.doors(config)]
    return {service: _in_use(config, service, own) for service in asked}


def _in_use(config: NodeConfig, service: str, own: bytes) -> str:
    try:
        served = shown.shown_by(config, service)
    except (ssl.SSLError, ssl.CertificateError):
        return FOREIGN
    if served is None:
        return SILENT
    return IN_USE if served == own else NOT_YET


def _key(config: NodeConfig, name: str, key: str) -> Found:
    file = config.paths.ssh / key
    try:
        public = serialization.load_ssh_public_key(ssh_files.public_key(config, key).encode())
        fingerprint = serialization.ssh_key_fingerprint(public, hashes.SHA256()).hex(":")
    except (OSError, ValueError) as error:
        return Found(name, PURPOSES[name], str(file), _unreadable(error))
    return Found(name, PURPOSES[name], str(file), "ends never", fingerprint=fingerprint)


def _unreadable(error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else "is no certificate or key"
    return f"cannot be read: {why}"


def _common_name(name: x509.Name) -> str:
    return ", ".join(str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME))


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found)


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}Z"


def main() -> int:
    """Tell of the node of this process's configuration; what is wrong is said on standard error."""
    try:
        found = all_of(load())
    except (ClusterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    told = {"certificates": [asdict(each) for each in found], "warnings": list(_warnings(found))}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
