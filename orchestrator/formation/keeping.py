"""What a start or a join replaces is kept until it has succeeded, so that it can be put back.

The identity (CA, certificate, broker's password) is kept in one file, the database by renaming its folder.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from orchestrator.clients.files import sync_folder, write_atomically
from orchestrator.config import NodeConfig
from orchestrator.formation import broker, pki
from orchestrator.formation.pki import KeyPair


def _identity_file(config: NodeConfig) -> Path:
    return config.paths.state / "before-cluster.json"


def _old_data(config: NodeConfig) -> Path:
    data = config.paths.postgres_data
    return data.with_name(f"{data.name}-before-cluster")


def keep_identity(config: NodeConfig) -> None:
    """Keep what this node is known by before it takes part in a cluster."""
    content = {
        "authority": asdict(pki.read_ca(config.paths.ssl)),
        "leaves": {leaf: asdict(pair) for leaf, pair in pki.read_leaves(config).items()},
        "broker_password": broker.read_password(config),
    }
    write_atomically(_identity_file(config), json.dumps(content))


def restore_identity(config: NodeConfig) -> None:
    """Put back what was kept; nothing happens when nothing was."""
    try:
        content = json.loads(_identity_file(config).read_bytes())
    except FileNotFoundError:
        return
    pki.install_ca(config.paths.ssl, KeyPair(**content["authority"]))
    pki.install_leaves(config, {leaf: KeyPair(**pair) for leaf, pair in content["leaves"].items()})
    broker.install(config, content["broker_password"])


def set_database_aside(config: NodeConfig) -> None:
    """Move the (stopped) database's folder away; nothing happens when it was moved before."""
    data = config.paths.postgres_data
    if data.exists() and not _old_data(config).exists():
        data.rename(_old_data(config))
        sync_folder(data.parent)


def has_database_aside(config: NodeConfig) -> bool:
    """Whether a database of before was set aside."""
    return _old_data(config).exists()


def restore_database(config: NodeConfig) -> None:
    """Put the database's folder back in the place of the new one. The server must not run."""
    if not _old_data(config).exists():
        return
    # A copy that is complete but not in its place yet would replace the old database at the next start.
    for path in config.paths.postgres_data.parent.iterdir():
        if path.is_file():
            path.unlink()
        elif path != _old_data(config):
            shutil.rmtree(path)
    _old_data(config).rename(config.paths.postgres_data)
    sync_folder(config.paths.postgres_data.parent)


def discard(config: NodeConfig) -> None:
    """Delete what was kept: there is no way back any more."""
    _identity_file(config).unlink(missing_ok=True)
    shutil.rmtree(_old_data(config), ignore_errors=True)
