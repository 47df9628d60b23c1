"""What the mirroring is compared with: ``rsync -a`` over ssh, as anybody would run it by hand."""

from __future__ import annotations

import getpass
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.node import Node
from orchestrator.clients import ssh_files
from orchestrator.clients.files import write_atomically
from orchestrator.clients.programs import executable, programs
from orchestrator.config import NodeConfig

START_S = 10.0
TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class PlainRsync:
    """Copies a folder from the leader's machine with the key of ``replica``, to which all is allowed."""

    source: NodeConfig
    port: int
    replica: Node

    def copy(self, source: Path, target: Path) -> None:
        """``rsync -a``. Raises ``CalledProcessError``."""
        key = self.replica.config.paths.ssh / ssh_files.CLIENT_KEY
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": key,
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        shell = shlex.join([executable("ssh"), "-F", "none", "-p", str(self.port), *given])
        remote = f"{getpass.getuser()}@{self.source.host_ip}:{source}/"
        command = [executable("rsync"), "-a", "--delete", f"--rsh={shell}", remote, f"{target}/"]
        subprocess.run(command, check=True, timeout=TIMEOUT_S)


@contextmanager
def plain_rsync(leader: Node, replica: Node) -> Iterator[PlainRsync]:
    """A daemon like the leader's, on another port, which restricts nothing; it ends with the block."""
    with socket.socket() as probe:
        probe.bind((leader.host_ip, 0))
        port = int(probe.getsockname()[1])
    config = leader.config
    own = config.model_copy(
        update={
            "paths": config.paths.model_copy(update={"etc": leader.home / "plain-etc"}),
            "ports": config.ports.model_copy(update={"ssh": port}),
        }
    )
    ssh_files.prepare(own)
    # What a daemon's configuration says first is what counts.
    settings = f"PermitRootLogin prohibit-password\n{ssh_files.daemon_config(own)}"
    write_atomically(own.paths.ssh / "sshd_config", settings)
    key = ssh_files.public_key(replica.config, ssh_files.CLIENT_KEY)
    write_atomically(ssh_files.authorized_keys(own), f"restrict {key}\n")
    command = next(program.command for program in programs(own, member=False) if program.name == "sshd")
    # It complains of whoever only looks whether it is there.
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(own.host_ip, port)
        yield PlainRsync(own, port, replica)
    finally:
        daemon.kill()
        daemon.wait()


def _wait_for(host_ip: str, port: int) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((host_ip, port), timeout=1).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return
