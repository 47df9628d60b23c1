"""Thin, typed access to everything outside of this process; every call has a timeout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.clients.consul import Consul
    from orchestrator.clients.mirror import Mirror
    from orchestrator.clients.peers import Peers
    from orchestrator.clients.postgres import Postgres
    from orchestrator.clients.product import Product
    from orchestrator.clients.services import Services
    from orchestrator.config import NodeConfig


@dataclass(frozen=True, slots=True)
class Clients:
    """What observing and acting on one node needs. ``me`` is the node's name in its cluster."""

    config: NodeConfig
    me: str
    consul: Consul
    postgres: Postgres
    services: Services
    peers: Peers
    mirror: Mirror
    product: Product
