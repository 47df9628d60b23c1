"""A node's real SSH daemon on a loopback address, and something that can pass for its database server."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from orchestrator.clients import ssh_files
from orchestrator.clients.programs import programs
from orchestrator.config import NodeConfig, Ports, Timing
from orchestrator.model.snapshot import Member
from orchestrator.paths import Paths
from tests.support.waiting import eventually


def node_config(folder: Path, host_ip: str, **timing: float) -> NodeConfig:
    """A node below ``folder``, whose SSH port is free."""
    paths = Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log")
    ports = Ports(ssh=_free_port(host_ip))
    return NodeConfig(host_ip=host_ip, paths=paths, ports=ports, timing=Timing(**timing))


def _free_port(host_ip: str) -> int:
    with socket.socket() as probe:
        probe.bind((host_ip, 0))
        return int(probe.getsockname()[1])


class SshNode:
    """One node with its keys and its daemon. A context manager: leaves no process behind."""

    def __init__(self, name: str, config: NodeConfig) -> None:
        self.name, self.config = name, config
        self._processes: list[subprocess.Popen[bytes]] = []
        ssh_files.prepare(config)

    @property
    def member(self) -> Member:
        """What the others know of this node."""
        return Member(
            name=self.name,
            host_ip=self.config.host_ip,
            ssh_host_key=ssh_files.public_key(self.config, ssh_files.HOST_KEY),
            ssh_client_key=ssh_files.public_key(self.config, ssh_files.CLIENT_KEY),
        )

    def start_daemon(self) -> subprocess.Popen[bytes]:
        """Start sshd as the product does, and wait until it accepts connections."""
        command = next(
            program.command for program in programs(self.config, member=False) if program.name == "sshd"
        )
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._processes.append(daemon)
        eventually(self._accepts, 30, "sshd accepts connections")
        return daemon

    def start_database(self, folder: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a process that looks like a postmaster on the data folder (or that works in ``folder``)."""
        data = self.config.paths.postgres_data
        data.mkdir(parents=True, exist_ok=True)
        database = subprocess.Popen(
            # Whoever started the tests in the background may have had them ignore this signal.
            [sys.executable, "-c", "import signal as s; s.signal(s.SIGQUIT, s.SIG_DFL); s.pause()"],
            cwd=folder or data,
        )
        self._processes.append(database)
        (data / "postmaster.pid").write_text(f"{database.pid}\n{data}\n")
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.config.host_ip, self.config.ports.ssh), timeout=1).close()
        except ConnectionRefusedError:
            return False
        return True
