"""The units: where one lies, how it gets there, and how it goes."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from manager.errors import BadParameters
from manager.files.durable import make_folders, sync, sync_tree, telling_full
from manager.files.folders import Folders

MAX_NAME_BYTES = 255
"""Of a file name, on all usual file systems."""

TRIES = 5
ARCHIVE, CONTENT = "archive", "content"


def check_id(kind: str, identifier: str) -> None:
    """Raise ``BadParameters`` for an id that cannot be the name of a folder. ``kind``: as it reads."""
    too_long = len(identifier.encode(errors="replace")) > MAX_NAME_BYTES
    if identifier in {"", ".", ".."} or "/" in identifier or "\0" in identifier or too_long:
        raise BadParameters(
            f"`{identifier[:MAX_NAME_BYTES]}` cannot be the ID of a {kind}: "
            f"it has to be the name of a folder, of up to {MAX_NAME_BYTES} bytes"
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """The folder of the files of one row. ``storage_id``: 32 hexadecimal digits, new for each upload."""

    kind: str
    tenant: str
    id: str
    storage_id: str

    def path(self, folders: Folders) -> Path:
        """Where it lies."""
        for part in (self.tenant, self.id):
            check_id(self.kind.removesuffix("s"), part)
        return folders.files / self.kind / self.tenant / self.id / self.storage_id

    def archive(self, folders: Folders) -> Path:
        """What was uploaded."""
        return self.path(folders) / ARCHIVE

    def content(self, folders: Folders) -> Path:
        """What was in it: the inside of the archive's one folder."""
        return self.path(folders) / CONTENT

    def place(self, prepared: Path, folders: Folders) -> None:
        """Give the folder ``prepared`` its place, synced. Raises ``StorageFull``."""
        place, tries = self.path(folders), TRIES
        with telling_full():
            sync_tree(prepared)
            while True:
                make_folders(place.parent, folders.files)
                try:
                    prepared.rename(place)
                    break
                except FileNotFoundError:
                    # Somebody who removed the last unit of this id took its folder away as well.
                    tries -= 1
                    if not tries:
                        raise
            sync(place.parent)

    def remove(self, folders: Folders) -> None:
        """Take it away: all of it at once, for whoever looks. Nothing happens when it is not there."""
        place = self.path(folders)
        gone = folders.staging / f"{uuid.uuid4().hex}.gone"
        try:
            place.rename(gone)
        except FileNotFoundError:
            return
        sync(place.parent)
        _remove_empty(place.parent, folders.files / self.kind)
        shutil.rmtree(gone, ignore_errors=True)


def _remove_empty(folder: Path, above: Path) -> None:
    while folder != above:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
