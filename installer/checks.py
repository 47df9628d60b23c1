"""What a machine needs before it can become a manager: everything that is missing, said at once."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path

from orchestrator.clients.consul_agent import installed_version
from orchestrator.clients.programs import executable, postgres_bin_dir
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ClusterError

BOOTED_BY_SYSTEMD = Path("/run/systemd/system")
OLDEST_CONSUL, OLDEST_POSTGRES = (1, 8, 0), 15
VERSION_TIMEOUT_S = 20.0
NEEDED_MIB, MIB = 1024, 1024 * 1024
"""An empty database takes 60 MiB, and keeps up to 1 GiB for a replica that is away."""

PACKAGES = {
    "redis-server": "redis-server",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "sudo": "sudo",
    "visudo": "sudo",
    "useradd": "passwd",
}
"""A program that is needed, and the Debian package that has it."""

Check = Callable[[NodeConfig], Iterator[str]]


def complaints(config: NodeConfig, *, installed: bool) -> list[str]:
    """What is not as it has to be; nothing is changed. ``installed``: the manager is here already."""
    checks: list[Check] = [_privileges, _systemd, _programs, _database, _consul, _place, _addresses]
    if not installed:
        # Afterwards it is the manager itself that holds them.
        checks += [_ports, _space]
    return [complaint for check in checks for complaint in check(config)]


def _privileges(_: NodeConfig) -> Iterator[str]:
    if os.geteuid() != 0:
        yield "It takes root: run it with sudo."


def _systemd(_: NodeConfig) -> Iterator[str]:
    if not BOOTED_BY_SYSTEMD.is_dir():
        yield "This machine was not booted by systemd, which runs the services."


def _programs(_: NodeConfig) -> Iterator[str]:
    missing = sorted({package for program, package in PACKAGES.items() if not _found(program)})
    if missing:
        yield f"Programs are missing. On Debian and Ubuntu: apt install {' '.join(missing)}"


def _found(program: str) -> bool:
    try:
        executable(program)
    except ClusterError:
        return False
    return True


def _database(config: NodeConfig) -> Iterator[str]:
    try:
        server = postgres_bin_dir(config) / "postgres"
        told = subprocess.run(
            [server, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=True
        ).stdout
    except (ClusterError, OSError, subprocess.SubprocessError):
        yield f"PostgreSQL {OLDEST_POSTGRES} or newer is missing: apt install postgresql"
        return
    found = re.search(r"\) (\d+)", told)
    if not found or int(found[1]) < OLDEST_POSTGRES:
        yield f"PostgreSQL is too old: {told.strip()}; {OLDEST_POSTGRES} or newer is needed."


def _consul(_: NodeConfig) -> Iterator[str]:
    wanted = ".".join(map(str, OLDEST_CONSUL[:2]))
    try:
        version = installed_version()
    except ClusterError:
        yield f"Consul {wanted} or newer is missing; scripts/install-consul.sh of the project installs it."
        return
    if version < OLDEST_CONSUL:
        yield f"Consul is too old: {'.'.join(map(str, version))}; {wanted} or newer is needed."


def _place(_: NodeConfig) -> Iterator[str]:
    """What root has services run must not be replaceable by others, and its users must reach it."""
    for folder in Path(sys.executable).resolve().parents:
        status = folder.stat()
        if status.st_uid != 0 or not status.st_mode & 0o001:
            yield (
                f"The program lies below {folder}, which is closed to the manager's user or not root's."
                " Install it into a virtual environment in /opt/cloudify."
            )
            return


def _addresses(config: NodeConfig) -> Iterator[str]:
    for name, address in {"host_ip": config.host_ip, "api_host": config.api_host}.items():
        if not _can_bind(address, 0):
            yield f"{name}: {address} is no address of this machine."


def _ports(config: NodeConfig) -> Iterator[str]:
    return taken(config, config.ports.model_dump())


def taken(config: NodeConfig, names: Collection[str]) -> Iterator[str]:
    """Which of these ports somebody has already."""
    found = [
        f"{port} ({name})"
        for name, port in config.ports.model_dump().items()
        if name in names and _can_bind(config.host_ip, 0) and not _can_bind(config.host_ip, port)
    ]
    if found:
        yield (
            f"Other programs of this machine use these ports: {', '.join(found)}. What they are: ss -tlnp."
            " Another port: --set ports.NAME=PORT, the same on all members."
        )


def _space(config: NodeConfig) -> Iterator[str]:
    for place in (config.paths.state, config.paths.log):
        there = next(each for each in (place, *place.parents) if each.exists())
        free_mib = shutil.disk_usage(there).free // MIB
        if free_mib < NEEDED_MIB:
            yield f"{place}: {free_mib} MiB are free there, and {NEEDED_MIB} are needed to begin with."


def _can_bind(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
