"""Renewing this node's certificates while everything goes on.

The CA keeps its key, so nobody who trusts it notices. New pairs are put in place first; then each service is
told to read them. Connections that are there go on as they are. It needs neither Consul nor a leader nor a
certificate that is still good, and can be repeated: what was begun is begun anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.clients import Clients
from orchestrator.clients.broker_admin import read_certificate_again
from orchestrator.clients.shown import BROKER, CONSUL, POSTGRESQL, REST
from orchestrator.config import NodeConfig
from orchestrator.formation import broker, pki
from orchestrator.formation.certificates import CA, SERVICES, Found, all_of
from orchestrator.model.errors import ClusterError, ConsulUnavailable, Refused, ServicesUnavailable
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership

log = logging.getLogger(__name__)

LONGEST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is asked for. ``only``: these pairs; none: all. ``within_days``: only what ends within so many.

    ``life_days``: for how long the new ones are valid; ``dry_run``: nothing is changed. ``ca``: the CA's own
    certificate as well, with the key that it has.
    """

    only: tuple[str, ...] = ()
    within_days: int | None = None
    life_days: int = pki.NODE_LIFE.days
    dry_run: bool = False
    ca: bool = False


@dataclass(frozen=True, slots=True)
class Renewed:
    """``certificates``: the names of the new ones. ``services``: what each service was told."""

    certificates: tuple[str, ...]
    services: Mapping[str, str]
    troubles: tuple[str, ...] = ()


def renew(clients: Clients, wanted: Renewal) -> Renewed:
    """Renew the node's certificates, and have the services take them up. Raises ``Refused``."""
    config = clients.config
    belongs = membership.read(config.paths.membership_file)
    if belongs.state in {MembershipState.JOINING, MembershipState.REMOVED}:
        raise Refused(f"A manager that is {belongs.state.value} has no certificates to renew.")
    _check(wanted)
    leaves = tuple(_due(config, wanted))
    due = (CA, *leaves) if wanted.ca else leaves
    if wanted.dry_run or not due:
        return Renewed(due, {})
    if wanted.ca:
        pki.prolong_ca(config.paths.ssl)
    name = belongs.name or pki.issued_for(config.paths.ssl) or config.host_ip
    pki.issue(config, name, leaves, timedelta(days=wanted.life_days))
    log.warning("New certificates for %s: %s", name, ", ".join(due))
    return _take_up(clients, due)


def _check(wanted: Renewal) -> None:
    if unknown := sorted(set(wanted.only) - set(pki.LEAVES)):
        raise Refused(f"There is no {', '.join(unknown)} to renew. There is: {', '.join(pki.LEAVES)}.")
    if wanted.ca and (wanted.only or wanted.within_days is not None):
        raise Refused("With the CA all certificates are renewed: --ca goes with neither --only nor --within.")
    if not 1 <= wanted.life_days <= LONGEST_DAYS:
        raise Refused(f"A certificate is valid for 1 to {LONGEST_DAYS} days, not for {wanted.life_days}.")


def _due(config: NodeConfig, wanted: Renewal) -> Iterator[str]:
    for found in all_of(config, look=False):
        asked = found.name in pki.LEAVES and found.name in (wanted.only or pki.LEAVES)
        if asked and (wanted.within_days is None or _ends_within(found, wanted.within_days)):
            yield found.name


def _ends_within(found: Found, days: int) -> bool:
    """What cannot be read, or used, has ended already."""
    broken = found.state not in {"ok", "ends soon"}
    return broken or found.days_left is None or found.days_left < days


def _take_up(clients: Clients, renewed: tuple[str, ...]) -> Renewed:
    """Tell each service that runs and has one of the new pairs. Trouble with one does not concern others."""
    said: dict[str, str] = {}
    troubles = []
    try:
        running = clients.services.running()
    except ServicesUnavailable as error:
        return Renewed(renewed, said, (f"{error} What runs takes the new certificates when it is started.",))
    for service in [each for leaf in renewed for each in SERVICES.get(leaf, ()) if each in running]:
        try:
            said[service] = TOLD[service](clients)
        except (ClusterError, OSError) as error:
            troubles.append(f"{service}: {error}")
    return Renewed(renewed, said, tuple(troubles))


def _tell_consul(clients: Clients) -> str:
    try:
        clients.consul.reload()
    except ConsulUnavailable as error:
        # An agent that does not even answer this serves nobody, so there is nothing to interrupt.
        log.warning("Consul cannot be told of its new certificate, and is restarted: %s", error)
        clients.services.restart(CONSUL)
        return "did not answer, and was restarted"
    return "was told to read it"


def _tell_postgresql(clients: Clients) -> str:
    clients.postgres.reload()
    return "was told to read it"


def _tell_broker(clients: Clients) -> str:
    read_certificate_again(clients.config, broker.read_password(clients.config))
    return "was told to read it"


def _tell_nobody(_: Clients) -> str:
    return "looks for itself, once a second"


TOLD: Mapping[str, Callable[[Clients], str]] = {
    CONSUL: _tell_consul,
    POSTGRESQL: _tell_postgresql,
    BROKER: _tell_broker,
    REST: _tell_nobody,
}
