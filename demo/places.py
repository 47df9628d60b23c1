"""Where nodes can live on this machine: folders that their users can reach, addresses with free ports."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from orchestrator.config import Ports
from orchestrator.model.errors import ClusterError

MEMORY = Path("/dev/shm")  # noqa: S108  Only folders that this user owns are used below it.
ROOMY = Path("/var/tmp")  # noqa: S108  As above.
POSTGRES_USER = "postgres"
LAST_SUBNET = 255

PORTS = Ports(rest=8443, postgres=15432, consul_api=8500, ssh=2222, broker=6380)
"""Those of the product, but for the ones that an ordinary user may not bind."""


class NoPlace(ClusterError):
    """There is no folder, or no address, that nodes could use."""


def database_user() -> str | None:
    """Whom PostgreSQL runs as: it refuses to be root, and is otherwise whoever runs the node."""
    return POSTGRES_USER if os.geteuid() == 0 else None


def data_home(root: Path) -> Path:
    """Where the data of a bed at ``root`` lies: there, if the database's user can reach it.

    Root's projects often lie below a folder that is closed to everyone else. The data then lies in
    ``/var/tmp``, in a folder named after ``root``.
    """
    user = database_user()
    if user is None or _reachable(root, user):
        return root
    return ROOMY / _name(root)


def run_home(root: Path) -> Path:
    """Where the sockets of a bed at ``root`` lie: in memory, and below a short path, as sockets need it."""
    return (MEMORY if os.access(MEMORY, os.W_OK) else ROOMY) / _name(root)


def make_private(folder: Path) -> None:
    """Have a folder that nobody else can list or write to.

    Raises ``NoPlace`` when there is one that belongs to somebody else.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise NoPlace(f"{folder} belongs to somebody else")
    # The database's user has to pass through to its own folder; it still cannot see what else is there.
    folder.chmod(0o711 if database_user() else 0o700)


def seen_from_here(path: Path) -> str:
    """A path as one would type it: relative if it lies below the present folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it; nothing happens when there is none.

    A process that was killed a moment ago may still have unlinked something of its own; that is no reason
    to leave the rest.
    """
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue


def free_subnet(root: Path, hosts: int, ports: Ports = PORTS) -> str:
    """The first three parts of loopback addresses on which all the ports are free, such as ``127.77.12``.

    Raises ``NoPlace`` when there are none.
    """
    start = int(_digest(root), 16)
    for number in range(LAST_SUBNET):
        subnet = f"127.77.{(start + number) % LAST_SUBNET}"
        if all(_free(f"{subnet}.{host}", port) for host in range(1, hosts + 1) for port in _numbers(ports)):
            return subnet
    raise NoPlace("no loopback address below 127.77 has all the ports free that a node needs")


def _numbers(ports: Ports) -> Iterator[int]:
    return (int(port) for port in ports.model_dump().values())


def _free(address: str, port: int) -> bool:
    with closing(socket.socket()) as probe:
        # As the servers do: a connection that has just been closed does not occupy a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _reachable(folder: Path, user: str) -> bool:
    existing: Iterable[Path] = (path for path in (folder, *folder.parents) if path.exists())
    # The user's own rights decide, whatever grants them: modes, groups, access lists.
    check = ["test", "-x", str(next(iter(existing)).resolve())]
    group = pwd.getpwnam(user).pw_gid
    return subprocess.run(check, user=user, group=group, extra_groups=[], check=False).returncode == 0


def _name(root: Path) -> str:
    return f"cfy-{os.geteuid()}-{_digest(root)}"


def _digest(root: Path) -> str:
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
