"""All the processes of a node, to be killed or frozen as one.

A cgroup holds them together whatever they do: also what was started in the node from outside. It is one of
version 2, which may stand beside those of version 1.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.cluster.bed import host
from tests.cluster.bed.errors import BedError

VERSION_1 = Path("/sys/fs/cgroup/systemd")
"""Where systemd-nspawn looks for its place, too, on a machine with cgroups of both versions."""

EFFECT_TIMEOUT_S = 30.0
WAITS_FOR_THE_DEAD = {errno.EBUSY, errno.ENOENT}
"""A process that has ended can still hold its cgroup for a moment; or somebody else has removed it."""


class Cgroup:
    """A cgroup with its children; ``path`` is below the mount point of the cgroups."""

    def __init__(self, path: str) -> None:
        self.path = path
        place = host.unified_cgroups()
        if place is None:
            raise BedError("no cgroups of version 2 are mounted on this machine")
        self.folder = place / path
        first = [VERSION_1] if VERSION_1.exists() and place != VERSION_1.parent else []
        self.folders = (self.folder, *(root / path for root in first))

    def make(self) -> None:
        """Have the cgroup. Nothing happens when it is there."""
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)

    def child(self) -> Cgroup:
        """A new cgroup in this one, under a name of its own."""
        new = Cgroup(f"{self.path}/run-{uuid.uuid4().hex}")
        new.make()
        return new

    def joined_by(self, *command: str) -> tuple[str, ...]:
        """A command as it has to be called to run in the cgroup from its first moment."""
        join = 'for file in $0; do echo $$ >"$file/cgroup.procs" || exit 125; done; exec "$@"'
        return ("sh", "-c", join, " ".join(map(str, self.folders)), *command)

    def occupied(self) -> bool:
        """Whether there is a process in it, or below."""
        return self.folder.exists() and self._event("populated")

    def frozen(self) -> bool:
        """Whether all that is in it has stopped."""
        return self.folder.exists() and self._event("frozen")

    def processes(self) -> Iterator[int]:
        """Those that are in it, or below. They come and go meanwhile, and so do the cgroups below."""
        for folder, _, _ in os.walk(self.folder):
            with suppress(OSError):
                yield from map(int, Path(folder, "cgroup.procs").read_text().split())

    def kill(self) -> None:
        """Kill all that is in it at once, also what is frozen, and wait until it is gone."""
        if not self.folder.exists():
            return
        (self.folder / "cgroup.kill").write_text("1")
        host.wait_for(lambda: not self.occupied(), EFFECT_TIMEOUT_S, f"{self.folder} is empty")
        self.thaw()

    def freeze(self) -> None:
        """Stop all that is in it where it stands, and wait until it has stopped."""
        (self.folder / "cgroup.freeze").write_text("1")
        host.wait_for(self.frozen, EFFECT_TIMEOUT_S, f"{self.folder} is frozen")

    def thaw(self) -> None:
        """Let it go on."""
        (self.folder / "cgroup.freeze").write_text("0")

    def remove(self) -> None:
        """Remove it with its children; nothing may run in them any more."""
        host.wait_for(self._try_to_remove, EFFECT_TIMEOUT_S, f"{self.folder} is removed")

    def remove_if_empty(self) -> None:
        """Remove it if nothing was left running in it."""
        if not self.occupied():
            self.remove()

    def _event(self, name: str) -> bool:
        return f"{name} 1" in (self.folder / "cgroup.events").read_text().splitlines()

    def _try_to_remove(self) -> bool:
        for folder in self.folders:
            # A cgroup is removed from its leaves up, and its files go with it.
            below = [path for path, _, _ in os.walk(folder, topdown=False)]
            try:
                for path in below:
                    Path(path).rmdir()
            except OSError as error:
                if error.errno not in WAITS_FOR_THE_DEAD:
                    raise
                return False
        return True
