"""Replacing the internal CA by another one, with another key, while everything goes on.

In three rounds over all members; each step concerns one node, and can be repeated:

1. **trust**: the node trusts both. Clients and agents get both, too.
2. **sign**: the node's certificates are signed by the new one. Only when every other member trusts it.
3. **drop**: the node trusts the new one alone. Only when every other member shows certificates of it.

Whether another member is that far is not noted down anywhere: it is asked, by connecting to it.

As a program, ``python -m orchestrator.formation.authority make FILE | may-sign FILE | may-drop``, this makes
a CA, and looks at the other members of the node that ``CLOUDIFY_CONFIG`` names.
"""

from __future__ import annotations

import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.clients import Clients
from orchestrator.clients.consul import Consul
from orchestrator.clients.files import write_atomically
from orchestrator.clients.keypairs import CERTIFICATE, KEY, KeyPair, install_pair
from orchestrator.clients.shown import Door, accepts, doors_of_member, shows_one_of, tolerant_context
from orchestrator.config import NodeConfig, load
from orchestrator.formation import pki
from orchestrator.formation.renewing import Renewal, Renewed, renew
from orchestrator.model.errors import ClusterError, Refused
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership

PROBE_LIFE = timedelta(hours=1)

UNCHANGED = "Nothing was changed here."


def trust(clients: Clients, certificate: str) -> Renewed:
    """The first round: trust the new CA beside the present one."""
    folder = clients.config.paths.ssl
    pki.trust(folder, (*pki.trusted(folder), pki.certificate_of_ca(certificate)))
    return renew(clients, Renewal())


def sign(clients: Clients, authority: KeyPair) -> Renewed:
    """The second round: have this node's certificates signed by the new CA, when ``check_sign`` allows it."""
    pki.sign_with(clients.config.paths.ssl, authority)
    return renew(clients, Renewal())


def drop(clients: Clients) -> Renewed:
    """The third round: trust the CA that signs alone, when ``check_drop`` allows it."""
    folder = clients.config.paths.ssl
    pki.trust(folder, pki.trusted(folder)[:1])
    return renew(clients, Renewal())


STEPS: Mapping[str, Callable[[Clients, str], Renewed]] = {
    "trust": trust,
    "sign": lambda clients, text: sign(clients, read(text)),
    "drop": lambda clients, _: drop(clients),
}


def check_sign(config: NodeConfig, authority: KeyPair) -> None:
    """Raise ``Refused`` unless every other member trusts what the new CA signs."""
    todo = "does not trust the new CA yet: cfy_manager certificates trust-ca FILE, there"
    with _shown_to_others(config, authority) as context:
        _ask_all(config, lambda door: accepts(door, context), todo)


def check_drop(config: NodeConfig) -> None:
    """Raise ``Refused`` unless every other member shows certificates of the CA that this node signs with."""
    todo = "shows no certificate of this node's CA: cfy_manager certificates sign-with-ca FILE, on both"
    folder = config.paths.ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=pki.trusted(folder)[0])
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    _ask_all(config, lambda door: shows_one_of(door, context), todo)


@contextmanager
def _shown_to_others(config: NodeConfig, authority: KeyPair) -> Iterator[ssl.SSLContext]:
    """A client of the other members that shows a certificate of the new CA."""
    context = tolerant_context(config.paths.ssl)
    context.check_hostname = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install_pair(folder, pki.sign(authority, config.host_ip, pki.addresses(config), PROBE_LIFE))
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        yield context


def _ask_all(config: NodeConfig, is_ready: Callable[[Door], bool], todo: str) -> None:
    asked = [
        (name, service, door)
        for name, host in _others(config).items()
        for service, door in doors_of_member(config, host).items()
    ]

    def complaint(each: tuple[str, str, Door]) -> str | None:
        name, service, door = each
        try:
            return None if is_ready(door) else f"{name} ({service}) {todo}."
        except OSError as error:
            return f"{name} ({service}) does not answer at {door.host}:{door.port}: {error}."

    if not asked:
        return
    with ThreadPoolExecutor(len(asked)) as pool:
        found = [each for each in pool.map(complaint, asked) if each]
    if found:
        raise Refused(" ".join([*found, UNCHANGED]))


def _others(config: NodeConfig) -> dict[str, str]:
    """Names and addresses of the other members; none, when this manager is in no cluster."""
    belongs = membership.read(config.paths.membership_file)
    if belongs.state is not MembershipState.MEMBER or belongs.name is None:
        return {}
    members = Consul(config, belongs.name).view().members.values()
    return {member.name: member.host_ip for member in members if member.name != belongs.name}


def make(file: Path) -> None:
    """Write a new CA, certificate and key, to ``file``. Raises ``Refused`` when that is there."""
    if file.exists():
        raise Refused(f"{file} exists already.")
    made = pki.new_ca(name=f"{pki.CA_NAME} of {datetime.now(UTC):%Y-%m-%d}")
    write_atomically(file, made.certificate + made.key)


def read(text: str) -> KeyPair:
    """The CA in a file that ``make`` has written. Raises ``Refused``."""
    certificate, mark, key = text.partition("-----BEGIN PRIVATE KEY-----")
    return pki.normal(KeyPair(certificate, mark + key))


def main(words: list[str]) -> int:
    """Do what the module says; what is wrong is said on standard error."""
    try:
        match words:
            case ["make", file]:
                make(Path(file))
            case ["may-sign", file]:
                check_sign(load(), read(Path(file).read_text()))
            case ["may-drop"]:
                check_drop(load())
            case _:
                raise Refused(f"{' '.join(words)}: is none of make, may-sign, may-drop.")
    except (ClusterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
