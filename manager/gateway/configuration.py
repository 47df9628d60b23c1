"""The node's configuration, as far as the REST service needs it."""

from __future__ import annotations

from pathlib import Path

from manager.files.folders import Folders
from manager.settings import DatabaseSettings, LoginRules, Settings
from orchestrator.config import NodeConfig, load
from orchestrator.model.errors import ConfigurationError


def load_config(path: Path | None = None) -> NodeConfig:
    """The node's configuration. Raises ``SystemExit`` with what is wrong in the file."""
    try:
        return load(path)
    except ConfigurationError as error:
        raise SystemExit(str(error)) from error


def settings_of(config: NodeConfig) -> Settings:
    """What the REST service needs of the configuration."""
    secure = config.rest.protocol == "https"
    return Settings(
        host=config.host_ip,
        port=config.ports.rest,
        certificate=config.paths.ssl / "node.pem" if secure else None,
        key=config.paths.ssl / "node.key" if secure else None,
        database=DatabaseSettings(config.paths.run, config.ports.postgres, config.postgres.connect_timeout_s),
        folders=Folders(config.paths.files, config.paths.state / "staging", config.paths.uploads),
        logins=LoginRules(**config.logins.model_dump()),
        election_hold_s=config.rest.election_hold_s,
    )
