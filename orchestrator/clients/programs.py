"""What each service of a node runs: the table from which a service manager's configuration is made."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConfigurationError

POSTGRES_ROOT = Path("/usr/lib/postgresql")
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where servers lie that an ordinary user does not have on the PATH."""


@dataclass(frozen=True, slots=True)
class Program:
    """One service: its command with absolute paths, and how it is to be kept.

    ``autostart``: it starts with the node. ``autorestart``: it is started again whenever it ends.
    ``stop_wait_s``: how long it may take to end when asked to by ``stop_signal``; then it is killed.
    ``user``: the OS user to run it as; None: whoever runs the node.
    """

    name: str
    command: tuple[str, ...]
    autostart: bool = True
    autorestart: bool = True
    stop_signal: str = "TERM"
    stop_wait_s: float = 5.0
    user: str | None = None


def programs(config: NodeConfig, *, member: bool, root: bool | None = None) -> tuple[Program, ...]:
    """Every program of the node; ``member``: it belongs to a cluster, so its Consul starts with it.

    ``root``: whether it is root who runs them; None: as this process.

    Raises ``ConfigurationError`` when a server is not installed.
    """
    root = os.geteuid() == 0 if root is None else root
    consul = ("agent", f"-config-dir={config.paths.consul_etc}")
    broker = str(config.paths.etc / "broker.conf")
    return (
        Program("redis", (executable("redis-server"), *_redis(config))),
        Program("sshd", _sshd(config, root=root)),
        _postgresql(config, root=root),
        Program("consul", (executable("consul"), *consul), autostart=member),
        Program("lease-guard", _python("orchestrator.guard")),
        Program("consul-watcher", _python("tasks.watch")),
        Program("handler-runner", _python("tasks.handler_runner"), stop_wait_s=15.0),
        Program("check-runner", _python("tasks.check_runner")),
        Program("restservice", _python("manager")),
        Program("broker", (executable("redis-server"), broker), autostart=False),
        Program("mgmtworker", _python("manager.workflows"), autostart=False),
    )


def executable(name: str) -> str:
    """The absolute path of an installed program. Raises ``ConfigurationError`` when there is none."""
    found = which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN)))
    if found is None:
        raise ConfigurationError(f"The program {name} is not installed on this machine.")
    return found


def postgres_bin_dir(config: NodeConfig) -> Path:
    """The folder with PostgreSQL's programs: the configured one, else that of the newest installed version.

    Raises ``ConfigurationError`` when there is none.
    """
    if config.postgres.bin_dir is not None:
        return config.postgres.bin_dir
    # Debian's packages keep the servers off the PATH, one folder for each version.
    versions = sorted(
        (int(path.parent.parent.name), path.parent)
        for path in POSTGRES_ROOT.glob("*/bin/postgres")
        if path.parent.parent.name.isdigit()
    )
    if versions:
        return versions[-1][1]
    return Path(executable("postgres")).parent


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _redis(config: NodeConfig) -> tuple[str, ...]:
    settings = {
        "port": "0",
        "unixsocket": str(config.paths.redis_socket),
        "unixsocketperm": "700",
        "dir": str(config.paths.state),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
    }
    return tuple(word for name, value in settings.items() for word in (f"--{name}", value))


def _postgresql(config: NodeConfig, *, root: bool) -> Program:
    command = (
        str(postgres_bin_dir(config) / "postgres"),
        *("-D", str(config.paths.postgres_data)),
        *("-c", f"config_file={config.paths.postgres_etc / 'postgresql.conf'}"),
    )
    return Program(
        "postgresql",
        command,
        # Whether and as what the database may run is decided by the loop: a primary that comes up by itself
        # after a crash could acknowledge writes that no one will ever see again.
        autostart=False,
        autorestart=False,
        stop_signal="INT",
        stop_wait_s=config.postgres.stop_timeout_s,
        user=config.postgres.os_user if root else None,
    )


def _sshd(config: NodeConfig, *, root: bool) -> tuple[str, ...]:
    server = (executable("sshd"), "-D", "-e", "-f", str(config.paths.ssh / "sshd_config"))
    if not root:
        return server
    # As root the daemon insists on this folder, which an init system would have made at boot.
    return ("/bin/sh", "-c", f"mkdir -p -m 0755 /run/sshd && exec {shlex.join(server)}")
