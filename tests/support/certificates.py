"""Certificates for the nodes of a test: one CA for all of them, made by the product's own code."""

from __future__ import annotations

from pathlib import Path

from orchestrator.config import NodeConfig
from orchestrator.formation import pki


class Authority:
    """An internal CA that signs the certificates of a test's nodes."""

    def __init__(self, folder: Path) -> None:
        pki.ensure_ca(folder)
        self._pair = pki.read_ca(folder)

    def certify(self, config: NodeConfig, name: str) -> None:
        """Give the node the CA and a certificate for ``name``, also for its PostgreSQL."""
        config.paths.ssl.mkdir(parents=True, exist_ok=True)
        pki.install_ca(config.paths.ssl, self._pair)
        pki.issue(config, name)
