"""The leader's broker: Redis with TLS and a password that all members share."""

from __future__ import annotations

import secrets
from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig


def password_file(config: NodeConfig) -> Path:
    """Where this node keeps the password of the broker."""
    return config.paths.etc / "broker-password"


def ensure(config: NodeConfig) -> None:
    """Have a password and the broker's configuration; a password that is there is kept."""
    if not password_file(config).exists():
        write_atomically(password_file(config), secrets.token_urlsafe(32))
    install(config, read_password(config))


def read_password(config: NodeConfig) -> str:
    """The broker's password on this node."""
    return password_file(config).read_text().strip()


def install(config: NodeConfig, password: str) -> None:
    """Use ``password`` from the next start of the broker on."""
    write_atomically(password_file(config), password)
    ssl = config.paths.ssl
    settings = {
        "bind": config.host_ip,
        "port": "0",
        "tls-port": str(config.ports.broker),
        "tls-cert-file": _quoted(ssl / "node.pem"),
        "tls-key-file": _quoted(ssl / "node.key"),
        "tls-ca-cert-file": _quoted(ssl / "ca.pem"),
        # Agents have the CA and the password, and no certificate of their own.
        "tls-auth-clients": "no",
        "requirepass": password,
        "dir": _quoted(config.paths.state),
        "save": '""',
        "appendonly": "no",
        "daemonize": "no",
    }
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    write_atomically(config.paths.etc / "broker.conf", text)


def _quoted(path: Path) -> str:
    return f'"{path}"'
