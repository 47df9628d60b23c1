"""A machine that can be logged in to: a real SSH daemon on a loopback address, for whoever runs the tests."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.clients.programs import executable
from tests.support.addresses import new_address
from tests.support.waiting import eventually


@dataclass
class Machine:
    """Where it is, and what it takes to get in."""

    folder: Path
    host: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def key(self) -> str:
        """A private key that it accepts."""
        return (self.folder / "client").read_text()

    @property
    def host_key(self) -> str:
        """Type and base64."""
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    @property
    def other_host_key(self) -> str:
        """Another key of the same machine, of another type."""
        return " ".join((self.folder / "other.pub").read_text().split()[:2])

    @property
    def name(self) -> str:
        """As it is noted."""
        return f"{self.host}:{self.port}"

    def fabric_env(self, **more: Any) -> dict[str, Any]:
        """How to log in."""
        login = {"host_string": self.host, "port": self.port, "user": getpass.getuser(), "key": self.key}
        return {**login, **more}


def _new_key(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True, timeout=30)


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def login_machine(folder: Path, *, forwarding: bool = True) -> Iterator[Machine]:
    """The daemon, for the length of the block."""
    host = new_address()
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    for name, kind in (("host", "ed25519"), ("other", "ecdsa"), ("client", "ed25519")):
        _new_key(folder / name, kind)
    settings = {
        "ListenAddress": f"{host}:{port}",
        "HostKey": folder / "host",
        "Hostkey": folder / "other",
        "AuthorizedKeysFile": folder / "client.pub",
        "StrictModes": "no",
        "PermitRootLogin": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "AllowTcpForwarding": "yes" if forwarding else "no",
        "PidFile": "none",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    daemon = subprocess.Popen(
        [executable("sshd"), "-D", "-f", config], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: _accepts(host, port), 10, "sshd accepts connections")
        yield Machine(folder, host, port, daemon)
    finally:
        daemon.kill()
        daemon.wait()
