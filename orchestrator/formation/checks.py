"""What is asked of a manager before it takes part in a cluster. Who fails a check gets ``Refused``."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from importlib.metadata import version

from orchestrator.clients.programs import postgres_bin_dir
from orchestrator.config import NODE_NAME, NodeConfig
from orchestrator.model.errors import Conflict, Refused
from orchestrator.model.snapshot import MembershipState
from orchestrator.model.spec import Options
from orchestrator.record import membership


def product_version() -> str:
    """The version that all members of a cluster share."""
    return version("cloudify-manager-cluster")


def requirements(config: NodeConfig) -> dict[str, object]:
    """What a manager must have in common with this one to be in a cluster with it."""
    return {
        "version": product_version(),
        "postgresql": postgres_bin_dir(config).parent.name,
        "ports": config.ports.model_dump(),
    }


def meets(config: NodeConfig, required: Mapping[str, object]) -> None:
    """Compare what the leader requires with what is here; the message says both."""
    for name, here in requirements(config).items():
        there = required.get(name)
        if there != here:
            noun = {"version": "version", "postgresql": "PostgreSQL version", "ports": "ports"}[name]
            raise Refused(f"The {noun} of all members must be the same: here {here}, in the cluster {there}.")


def belongs_nowhere(config: NodeConfig) -> None:
    """This manager belongs to no cluster, and never did."""
    state = membership.read(config.paths.membership_file).state
    if state is MembershipState.MEMBER:
        raise Conflict("This manager already belongs to a cluster.")
    if state is MembershipState.REMOVED:
        raise Conflict(
            "This manager was removed from a cluster, and cannot take part in one as it is: "
            "remove it from the machine (cfy_manager remove -f) and install it anew."
        )


def name_is_valid(name: str) -> None:
    """A node name is made of letters, digits, and ``_ . -`` inside."""
    if not NODE_NAME.fullmatch(name):
        raise Refused(
            f"{name!r} cannot be a node name: a letter or digit, then up to 62 of them or of '_', '.', '-'."
        )


def options_are_valid(options: Mapping[str, object]) -> Options:
    """The node options that ``options`` make of the defaults."""
    return Options().updated(options)


def is_address(host_ip: str) -> str:
    """``host_ip`` in its shortest notation, if it is an address at all."""
    try:
        return str(ipaddress.ip_address(host_ip))
    except ValueError:
        raise Refused(f"{host_ip!r} is not an IP address; a hostname cannot be used here.") from None


def is_own_address(config: NodeConfig, host_ip: str) -> None:
    """``host_ip`` is the address that this manager is configured for, and this machine has it."""
    if is_address(host_ip) != config.host_ip:
        raise Refused(
            f"This manager's services are configured for {config.host_ip}, not for {host_ip}: "
            f"give {config.host_ip} as the cluster host ip, or change host_ip in its configuration."
        )
    family = socket.AF_INET6 if ":" in config.host_ip else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((config.host_ip, 0))
    except OSError as error:
        raise Refused(
            f"This machine does not have the address {config.host_ip}: {error.strerror}."
        ) from error
