"""Consul's folders, and who may use them: Consul may run as a user of its own, or as this node's.

It is the user that the data folder belongs to. The node's own user tells Consul when to start and stop, and
may not touch its data then; Consul may read what is shared with it, through its group.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

from orchestrator.clients.consul.http import endpoint
from orchestrator.clients.consul_data import LIFE, ONLY_SERVER, make_only_server
from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConfigurationError

SHARED, SHARED_FOLDER = 0o640, 0o750


def is_of_another_user(config: NodeConfig) -> bool:
    """Whether Consul has a user of its own here."""
    data = config.paths.consul_data
    return data.exists() and data.stat().st_uid != os.geteuid()


def share(config: NodeConfig, path: Path) -> None:
    """Let Consul's user read a file or a folder of this node, where it has one."""
    if is_of_another_user(config):
        os.chown(path, -1, config.paths.consul_data.stat().st_gid)
        path.chmod(SHARED_FOLDER if path.is_dir() else SHARED)


def begin_life(config: NodeConfig) -> None:
    """To be called before Consul is started: what a life before has left is not used in this one."""
    if not is_of_another_user(config):
        config.paths.consul_data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return
    if not _life(config).exists():
        write_atomically(_life(config), uuid.uuid4().hex)
    share(config, _life(config))
    share(config, config.paths.consul_etc)


def end_life(config: NodeConfig) -> None:
    """To be called before Consul is stopped for good. Consul's own user deletes its data when it stops."""
    _life(config).unlink(missing_ok=True)
    # In another life it would take a server out of the midst of its cluster.
    (config.paths.consul_etc / ONLY_SERVER).unlink(missing_ok=True)


def delete(config: NodeConfig) -> None:
    """Delete the data of a Consul that was stopped for good, unless that has a user who does."""
    if not is_of_another_user(config):
        shutil.rmtree(config.paths.consul_data, ignore_errors=True)


def _life(config: NodeConfig) -> Path:
    return config.paths.consul_etc / LIFE


def ask_for_only_server(config: NodeConfig) -> None:
    """Have Consul, which does not run, go on with this server alone when it is started next.

    Raises ``ConfigurationError`` when there are no data of Consul's to go on with.
    """
    asked = {"address": endpoint(config.host_ip, config.ports.consul_server), "asked": uuid.uuid4().hex}
    file = config.paths.consul_etc / ONLY_SERVER
    write_atomically(file, json.dumps(asked))
    if is_of_another_user(config):
        share(config, file)
        return
    try:
        make_only_server(config.paths.consul_etc, config.paths.consul_data)
    except OSError as error:
        raise ConfigurationError(f"Consul's data, without which nothing is left: {error}") from error
