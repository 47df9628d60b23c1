"""Restoring a snapshot, so that the manager is as it was until it is, at once, what the snapshot says.

The steps: compare the file with its manifest; unpack the units beside; load and migrate the rows beside; give
the units their places, where nobody refers to them yet; put the rows into their place. Only the last one
changes anything that counts, and it is one commit (``loading``), in which the execution ends as well. What is
cut short before leaves a transaction that is rolled back, a staging folder, and units that no row names: all
three are cleaned up by those who do so anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from manager.errors import BadParameters, NotFound, OutcomeUnknown
from manager.files import Folders, Unit, Work
from manager.files.archives import unpack
from manager.files.units import ARCHIVE, CONTENT
from manager.gateway import Gateway
from manager.slots import WriteSlot
from manager.snapshots import loading
from manager.snapshots.archive import Reader
from manager.snapshots.checks import check_empty, check_may_restore, unit_of
from manager.snapshots.labour import Progress, find, finish, snapshot_of
from manager.storage import Storage

log = logging.getLogger(__name__)

HELD_TIMEOUT_S = 600.0
NO_CERTIFICATES = "A snapshot holds no certificates: those of this manager stay as they are."


@dataclass(frozen=True, slots=True)
class Restoration:
    """Restoring one snapshot. ``options``: the parameters of the execution."""

    progress: Progress
    storage: Storage
    gateway: Gateway
    folders: Folders
    options: dict[str, Any]

    def run(self) -> None:
        """All of it."""
        archive = self._archive()
        with self.storage.reading() as session:
            check_may_restore(session, self.gateway, archive, force=self.options["force"])
        if self.options["restore_certificates"]:
            self.progress.say(NO_CERTIFICATES, level="warning")
        with Reader(archive) as reader, Work.begin(self.folders) as work:
            self.verify(reader)
            self.unpack(reader, work.folder)
            self.replace(reader, work.folder)

    def _archive(self) -> Path:
        with self.storage.reading() as session:
            snapshot = snapshot_of(session, find(session, self.progress.execution_id))
            if snapshot is None:
                raise NotFound.of("Snapshot", self.options["snapshot_id"])
            return unit_of(snapshot).archive(self.folders)

    def verify(self, reader: Reader) -> None:
        """Compare the file with its manifest. Raises ``BadParameters``."""
        made_by = f"version {reader.manifest.version} (schema {reader.manifest.revision})"
        self.progress.say(f"The snapshot was made by {made_by}, at {reader.manifest.created_at}.")
        reader.verify()

    def unpack(self, reader: Reader, folder: Path) -> None:
        """Prepare the units. Raises ``BadArchive``, ``StorageFull``."""
        for storage_id in reader.manifest.units:
            prepared = folder / storage_id
            prepared.mkdir(mode=0o750)
            reader.extract(storage_id, prepared / ARCHIVE)
            unpack(prepared / ARCHIVE, prepared / CONTENT)
        self.progress.say(f"{len(reader.manifest.units)} archives are unpacked.")

    def replace(self, reader: Reader, folder: Path) -> None:
        """The transaction; behind it, the files that nobody needs any more are removed."""
        with self.gateway.files_held(HELD_TIMEOUT_S), self._placed() as placed:
            with self.storage.writing(WriteSlot()) as session:
                loading.load(session, reader)
                named = loading.units(session, loading.BESIDE)
                self.progress.say("The rows are loaded, and migrated to the present schema.")
                self.place(reader, folder, named, placed)
                former = self.swap(session)
            placed.clear()
        for path in former - named:
            _unit(path).remove(self.folders)
        self.gateway.files_changed()

    @contextmanager
    def _placed(self) -> Iterator[list[Unit]]:
        """The units that have got their place: taken away again unless it is known to what end."""
        placed: list[Unit] = []
        try:
            yield placed
        except OutcomeUnknown:
            raise  # Rows may refer to them.
        except BaseException:
            for unit in placed:
                unit.remove(self.folders)
            raise

    def place(self, reader: Reader, folder: Path, named: frozenset[str], placed: list[Unit]) -> None:
        """Give each unit that the rows name its place. Raises ``BadParameters`` for what does not fit."""
        by_id = {Path(path).name: path for path in named}
        if set(by_id) != set(reader.manifest.units) or len(by_id) != len(named):
            raise BadParameters("The snapshot is wrong: its rows do not name the archives that it holds")
        for storage_id, path in by_id.items():
            unit = _unit(path)
            if not unit.path(self.folders).exists():
                unit.place(folder / storage_id, self.folders)
                placed.append(unit)

    def swap(self, session: Session) -> frozenset[str]:
        """The rows into their place, and the end of the execution; the units that were named before."""
        swap = loading.Swap(self.progress.execution_id)
        swap.lock(session)
        if not self.options["force"]:
            session.execute(text(f"SET LOCAL search_path TO {loading.PRESENT}"))
            check_empty(session)
        former = loading.units(session, loading.PRESENT)
        swap.keep(session)
        swap.move(session)
        finish(session, find(session, self.progress.execution_id))
        return former


def _unit(path: str) -> Unit:
    kind, tenant, identifier, storage_id = path.split("/")
    return Unit(kind, tenant, identifier, storage_id)
