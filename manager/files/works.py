"""What is in the works: files that no row refers to yet, and that nobody may tidy away.

Each has a file of its own in the folder of the locks, locked (flock) as long as the process that works on it
lives and has not finished: from before there is anything of it until after its row is committed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manager.files.durable import telling_full
from manager.files.folders import Folders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """Files that are being prepared in ``folder``; it is gone when the work ends, unless it was renamed.

    ``storage_id``: for the unit that they become.
    """

    storage_id: str
    folder: Path

    @classmethod
    @contextmanager
    def begin(cls, folders: Folders) -> Iterator[Work]:
        """The length of the work. Raises ``StorageFull``."""
        storage_id = uuid.uuid4().hex
        lock, folder = folders.uploads / storage_id, folders.staging / storage_id
        with telling_full():
            folders.make()
            descriptor = locked(lock)
        try:
            with telling_full():
                folder.mkdir(mode=0o750)
            yield cls(storage_id, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(descriptor)


def locked(lock: Path) -> int:
    """A descriptor of the locked file. Somebody tidy may remove it just before it is locked: try again."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def tidy(folders: Folders) -> None:
    """Remove what processes that are gone have left in the staging folder. Units are not looked at.

    What cannot be removed is only logged: a manager can do without it.
    """
    try:
        _tidy(folders)
    except OSError as error:
        log.warning("What is left of earlier uploads could not be removed: %s", error)


def _tidy(folders: Folders) -> None:
    folders.make()
    for leftover in folders.staging.iterdir():
        lock = folders.uploads / leftover.name.partition(".")[0]
        if not _is_locked(lock):
            shutil.rmtree(leftover, ignore_errors=True)
    for lock in folders.uploads.iterdir():
        _remove_free(lock)


def _is_locked(lock: Path) -> bool:
    try:
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _remove_free(lock: Path) -> None:
    try:
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.unlink()
    except (FileNotFoundError, BlockingIOError):
        return
