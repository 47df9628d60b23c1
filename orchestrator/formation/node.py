"""Preparing a machine: what an installation does beside the packages.

As a program, ``python -m orchestrator.formation.node``, it does so for the node that ``CLOUDIFY_CONFIG``
names, as the user that will run it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.clients import ssh_files
from orchestrator.clients.postgres import Postgres
from orchestrator.clients.postgres.configuration import Configuration
from orchestrator.clients.services import services_of
from orchestrator.config import NodeConfig, load
from orchestrator.formation import broker, pki
from orchestrator.model.errors import ClusterError
from orchestrator.record import membership

# Others may pass through these folders (PostgreSQL runs as a user of its own), and see nothing in them.
PASSABLE = 0o711
PRIVATE = 0o700


def prepare(config: NodeConfig) -> None:
    """Make a manager of this machine, alone and empty. What is there already is kept.

    Raises ``ClusterError`` when a server is not installed or does not do what it should.
    """
    make_folders(config)
    pki.ensure_ca(config.paths.ssl)
    if pki.issued_for(config.paths.ssl) is None:
        found = membership.read(config.paths.membership_file)
        pki.issue(config, found.name or config.host_ip)
    ssh_files.prepare(config)
    broker.ensure(config)
    Postgres(config, services_of(config)).initialise()


def make_folders(config: NodeConfig) -> None:
    """Make the folders of a node. To be called before its services start: some lie in memory."""
    paths = config.paths
    for folder in (paths.etc, paths.state, paths.log, paths.ssl):
        _folder(folder, PASSABLE)
    for folder in (paths.files, paths.run):
        _folder(folder, PRIVATE)
    Configuration(config).make_folders()


def _folder(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)


def main() -> int:
    """Prepare the node of this process's configuration; what is wrong is said on standard error."""
    try:
        prepare(load())
    except (ClusterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
