"""The node's configuration, as far as whoever sends and runs operations needs it."""

from __future__ import annotations

from manager.gateway.configuration import settings_of
from manager.operations.settings import BrokerSettings, OperationsSettings
from orchestrator.config import NodeConfig
from orchestrator.formation import broker


def operations_settings_of(config: NodeConfig) -> OperationsSettings:
    """Raises ``OSError`` when the broker's password is not there: this node has never been prepared."""
    rest = settings_of(config)
    return OperationsSettings(
        node=config.host_ip,
        broker=BrokerSettings(
            host=config.host_ip,
            port=config.ports.broker,
            password=broker.read_password(config),
            ca_file=config.paths.ssl / "ca.pem",
        ),
        database=rest.database,
        folders=rest.folders,
        work=config.paths.state / "work",
        max_operations=config.workflows.max_operations,
    )
