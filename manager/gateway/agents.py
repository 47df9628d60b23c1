"""What the installer of agents has to know of the node and of its cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from manager.errors import NotFound
from manager.gateway.configuration import load_config, settings_of
from manager.gateway.nodes import Nodes
from manager.settings import DatabaseSettings
from orchestrator.config import NodeConfig
from orchestrator.formation import broker

MembersNow = Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``members``: the addresses of all members at this moment. ``ca_file``: the internal CA."""

    host: str
    members: MembersNow
    ca_file: Path
    broker_port: int
    broker_password: str = field(repr=False)
    rest_port: int
    rest_protocol: str
    database: DatabaseSettings


_remembered: list[NodeConfig] = []


def remember(config: NodeConfig) -> None:
    """Keep the configuration for the processes that are forked from this one, and have no environment."""
    _remembered[:] = [config]


def surroundings() -> Surroundings:
    """Of this node. Raises ``OSError`` when it has never been prepared."""
    config = _remembered[0] if _remembered else load_config()
    return Surroundings(
        host=str(config.host_ip),
        members=members_of(config),
        ca_file=config.paths.ssl / "ca.pem",
        broker_port=config.ports.broker,
        broker_password=broker.read_password(config),
        rest_port=config.ports.rest,
        rest_protocol=config.rest.protocol,
        database=settings_of(config).database,
    )


def members_of(config: NodeConfig) -> MembersNow:
    """What tells the addresses of all members; without a cluster, this manager's. Raises ``RestError``."""
    nodes = Nodes(config)

    def members() -> list[str]:
        try:
            return [node["host_ip"] for node in nodes.nodes()]
        except NotFound:
            return [str(config.host_ip)]

    return members
