"""Writing so that it is still there after a loss of power, and saying clearly that a disk is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manager.errors import StorageFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def telling_full() -> Iterator[None]:
    """Turn what the system says of a full disk into ``StorageFull``."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull("There is no room left on the manager's disk; nothing was kept.") from error
        raise


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """The same for all that is in a folder, and for the folder itself."""
    for here, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(here, name))
        sync(Path(here))


def make_folders(folder: Path, above: Path) -> None:
    """Make ``folder`` and what is missing between it and ``above``, which is there, and sync each."""
    if folder == above:
        return
    make_folders(folder.parent, above)
    try:
        folder.mkdir(mode=0o750)
    except FileExistsError:
        return
    sync(folder.parent)
