"""A small disk for one host, which can be filled, slowed down and stopped without anybody else's noticing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.cluster.bed.errors import CommandFailed
from tests.cluster.bed.host import call

SIZE_BYTES = 3 << 30
"""Far more than a run needs; what is not written takes no memory."""

BALLAST = "ballast"
PIECE_BYTES = 4096


class Disk:
    """A file system in a file, mounted at ``folder``."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._file, self.folder = file, folder

    def make(self) -> None:
        """Have the disk, empty."""
        with self._file.open("wb") as image:
            image.truncate(SIZE_BYTES)
        # No block is kept for root alone: what is full is full for everybody.
        call("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", str(self._file))
        self.folder.mkdir(parents=True, exist_ok=True)
        call("mount", "-o", "loop", str(self._file), str(self.folder))

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.folder / BALLAST).open("wb", buffering=0) as ballast:
            # The file system needs some blocks of its own for it, and does not say how many.
            piece = SIZE_BYTES
            while piece > PIECE_BYTES:
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.seek(0, os.SEEK_END), piece)
                except OSError:
                    piece //= 2
            with suppress(OSError):
                while ballast.write(bytes(PIECE_BYTES)):
                    pass

    def empty(self) -> None:
        """Free again what was filled."""
        (self.folder / BALLAST).unlink(missing_ok=True)

    def hang(self) -> None:
        """Let every write wait."""
        call("fsfreeze", "--freeze", str(self.folder))

    def go_on(self) -> None:
        """Let writes go on. Nothing happens when they do."""
        with suppress(CommandFailed):
            call("fsfreeze", "--unfreeze", str(self.folder))

    def remove(self) -> None:
        """Unmount it, whatever its state. Nothing happens when it is not there."""
        if self.folder.is_mount():
            self.go_on()
            call("umount", "--lazy", str(self.folder))
        self._file.unlink(missing_ok=True)
