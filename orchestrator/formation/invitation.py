"""The leader's part of a join: is the new member welcome, and what does it need?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from orchestrator.clients import Clients, consul_agent
from orchestrator.formation import broker, checks, pki
from orchestrator.model.errors import Conflict
from orchestrator.model.snapshot import ClusterView


@dataclass(frozen=True, slots=True)
class Invitation:
    """``credentials``: what the new member needs, all of it secret. ``required``: what it must match.

    Both are opaque to those who relay them.
    """

    credentials: Mapping[str, object] = field(repr=False)
    required: Mapping[str, object]


def invite(clients: Clients, name: str, host_ip: str) -> Invitation:
    """Raises ``Refused`` or ``Conflict`` when no such member can join; changes nothing."""
    checks.name_is_valid(name)
    address = checks.is_address(host_ip)
    view = clients.consul.view()
    _is_free(view, name, address)
    config = clients.config
    members = {member.name: member.host_ip for member in view.members.values()}
    credentials = {
        "authority": asdict(pki.read_ca(config.paths.ssl)),
        "gossip_key": consul_agent.read_gossip_key(config),
        "broker_password": broker.read_password(config),
        "members": members,
    }
    return Invitation(credentials, checks.requirements(config))


def _is_free(view: ClusterView, name: str, host_ip: str) -> None:
    # Consul does not tell upper from lower case in the names of its nodes.
    if name.lower() in {taken.lower() for taken in view.removed}:
        raise Conflict(
            f"A node {name!r} was removed from this cluster; its name cannot be used again. Choose another."
        )
    for member in view.members.values():
        if member.name.lower() == name.lower():
            raise Conflict(f"There is a node {member.name!r} in this cluster already. Choose another name.")
        if member.host_ip == host_ip:
            raise Conflict(f"The node {member.name!r} of this cluster has the address {host_ip} already.")
