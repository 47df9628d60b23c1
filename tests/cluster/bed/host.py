"""The machine below the bed: what it has to have, how its programs are called, and what is awaited."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.bed.errors import BedError, CommandFailed

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""The programs that a bed needs, and the packages that they come with."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CALL_TIMEOUT_S = 60.0
UNMOUNT_TIMEOUT_S = 300.0
"""What was written is put on disk first, and others may be writing as well."""
POLL_S = 0.05


def check() -> None:
    """Raises ``BedError``, with everything that is missing, when this machine cannot carry a bed."""
    lacks = []
    if os.geteuid() != 0:
        lacks.append("the rights of root (try sudo -E)")
    packages = sorted({package for name, package in PACKAGES.items() if not shutil.which(name, path=PATH)})
    if packages:
        lacks.append(f"packages (apt-get install {' '.join(packages)})")
    if unified_cgroups() is None:
        lacks.append("a mounted cgroup2 file system (mount -t cgroup2 none /sys/fs/cgroup/unified)")
    if lacks:
        raise BedError(f"a bed needs {', and '.join(lacks)}")


def unified_cgroups() -> Path | None:
    """Where the cgroups of version 2 are: on their own, or beside those of version 1."""
    places = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    return next((place for place in places if (place / "cgroup.procs").exists()), None)


def call(*command: str, timeout_s: float = CALL_TIMEOUT_S) -> str:
    """Run a program of this machine; what it printed. Raises ``CommandFailed`` when it fails."""
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode != 0:
        raise CommandFailed("this machine", command, done.returncode, done.stderr or done.stdout)
    return done.stdout


def environment() -> dict[str, str]:
    """The environment of this process, in which root's programs are found as well."""
    return {**os.environ, "PATH": f"{PATH}:{os.environ.get('PATH', '')}", "LC_ALL": "C.UTF-8"}


def wait_for(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Raises ``BedError`` when the condition does not become true in time."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise BedError(f"not within {within_s:.0f} s: {what}")
        time.sleep(POLL_S)


def mounts_below(folder: Path) -> Sequence[Path]:
    """The mount points in ``folder``, the deepest first."""
    # The fifth field is the mount point; a space in it is written as \040.
    points = [
        Path(line.split()[4].encode().decode("unicode_escape"))
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    return sorted((point for point in points if point.is_relative_to(folder)), reverse=True)


def remove_tree(folder: Path) -> None:
    """Remove a folder, and what is mounted in it before that: nothing behind a mount is touched."""
    for point in mounts_below(folder):
        call("umount", "--lazy", str(point), timeout_s=UNMOUNT_TIMEOUT_S)
    if mounts_below(folder):
        raise BedError(f"something is mounted below {folder} again; it is not removed")
    if folder.exists():
        shutil.rmtree(folder)
