"""Making a snapshot: rows and files that belong together, as one transaction sees them.

A transaction that can be repeated (``REPEATABLE READ``) sees the database of one moment, and names the units
of that moment. Units never change, but one can be deleted meanwhile. So each is held first, by a second name
for its archive (a hard link); if one is gone already, all begins again with the picture of a later moment.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from manager.errors import OutcomeUnknown, SnapshotAction, Unavailable
from manager.files import Folders, Unit, Work
from manager.files.units import ARCHIVE
from manager.gateway import Gateway
from manager.models import EVENT_TYPE, LOG_TYPE, Base
from manager.slots import WriteSlot
from manager.snapshots.archive import FORMAT, TABLES, UNITS, Manifest, TableRows, Writer, own_version
from manager.snapshots.checks import KIND
from manager.snapshots.labour import Progress, find, finish, snapshot_of
from manager.storage import Storage

CREATED = "created"
POLL_S = 1.0
TRIES = 10
TRY_AGAIN_S = 0.2
PROTECT_TIMEOUT_S = 3600.0
"""A snapshot may be large, and it is nobody's upload: no client waits."""

NOT_DATA = frozenset({"snapshots", "maintenance"})
"""What says something of this manager only."""


@dataclass(frozen=True, slots=True)
class Creation:
    """Making one snapshot. ``options``: the parameters of the execution."""

    progress: Progress
    storage: Storage
    gateway: Gateway
    folders: Folders
    options: dict[str, Any]

    def run(self) -> None:
        """From an execution that may have to wait to a snapshot that is there."""
        while not self.progress.try_to_start():
            time.sleep(POLL_S)
        with Work.begin(self.folders) as work:
            prepared = work.folder / "unit"
            prepared.mkdir(mode=0o750)
            manifest = self.write(work.folder, prepared / ARCHIVE)
            rows = sum(table.rows for table in manifest.tables)
            self.progress.say(f"Written: {rows} rows and {len(manifest.units)} archives.")
            self.publish(work, prepared)

    def write(self, folder: Path, target: Path) -> Manifest:
        """The file, of one moment. Raises ``StorageFull``, ``SnapshotAction``."""
        for attempt in range(TRIES):
            held = folder / f"held{attempt}"
            held.mkdir()
            with self.storage.reading() as session:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                missing = hold(session, self.folders, held)
                if missing is None:
                    return self._write(session, held, target)
            time.sleep(TRY_AGAIN_S)
        raise SnapshotAction(f"The files of {missing} are not on this manager (yet).")

    def _write(self, session: Session, held: Path, target: Path) -> Manifest:
        writer = Writer(target)
        tables = [_copy(session, writer, *it) for it in self._selections(session)]
        units = sorted(held.iterdir())
        self.progress.say(f"The database is written; {len(units)} archives follow.")
        for unit in units:
            writer.add(f"{UNITS}{unit.name}", unit)
        manifest = Manifest(
            format=FORMAT,
            version=own_version(),
            revision=session.scalar(text("SELECT version_num FROM alembic_version")) or "",
            created_at=datetime.now(UTC).isoformat(),
            tables=tables,
            left_out=self._left_out(),
            sha256=writer.sha256,
        )
        writer.finish(manifest)
        return manifest

    def _left_out(self) -> list[str]:
        wanted = {LOG_TYPE: "include_logs", EVENT_TYPE: "include_events"}
        return [kind for kind, option in wanted.items() if not self.options.get(option, True)]

    def _selections(self, session: Session) -> list[tuple[str, list[str], str]]:
        """Each table with its columns and the condition for its rows. Not this execution: it is not over."""
        own = find_pk(session, self.progress.execution_id)
        left_out = "".join(f" AND type <> '{kind}'" for kind in self._left_out())
        conditions = {
            "executions": f"pk <> {own}",
            "events": f"execution_pk IS DISTINCT FROM {own}{left_out}",
        }
        return [
            (table.name, [column.name for column in table.columns], conditions.get(table.name, "true"))
            for table in Base.metadata.sorted_tables
            if table.name not in NOT_DATA
        ]

    def publish(self, work: Work, prepared: Path) -> None:
        """Give the file its place, wait until replicas have it, and say that the snapshot is there."""
        with (prepared / ARCHIVE).open("rb") as stream:
            sha256 = file_digest(stream, "sha256").hexdigest()
        size_bytes = (prepared / ARCHIVE).stat().st_size
        with self.storage.reading() as session:
            execution = find(session, self.progress.execution_id)
            name = execution.tenant_name
        unit = Unit(KIND, name, self.options["snapshot_id"], work.storage_id)
        try:
            unit.place(prepared, self.folders)
            self.gateway.protect_files(PROTECT_TIMEOUT_S)
            self._commit(work.storage_id, sha256, size_bytes)
        except OutcomeUnknown:
            raise  # The row may refer to it.
        except BaseException:
            unit.remove(self.folders)
            self.gateway.files_changed()
            raise

    def _commit(self, storage_id: str, sha256: str, size_bytes: int) -> None:
        with self.storage.writing(WriteSlot()) as session:
            execution = find(session, self.progress.execution_id)
            snapshot = snapshot_of(session, execution)
            if snapshot is None:
                raise SnapshotAction("The snapshot was deleted while it was being made.")
            snapshot.status, snapshot.storage_id = CREATED, storage_id
            snapshot.archive_sha256, snapshot.archive_bytes = sha256, size_bytes
            finish(session, execution)


def find_pk(session: Session, execution_id: str) -> int:
    """The key of an execution that is being worked on. Raises ``Unavailable`` when it cannot be seen."""
    pk = session.scalar(text("SELECT pk FROM executions WHERE id = :id"), {"id": execution_id})
    if pk is None:
        raise Unavailable("The execution is not in the database any more.")
    return int(pk)


def hold(session: Session, folders: Folders, held: Path) -> str | None:
    """Give each unit's archive a second name, its storage id, in ``held``; the first that is not there."""
    units = session.scalars(text("SELECT path FROM replicated_files WHERE path NOT LIKE 'snapshots/%'"))
    for path in units:
        try:
            os.link(folders.files / path / ARCHIVE, held / Path(path).name)
        except FileNotFoundError:
            return str(path)
    return None


def _copy(session: Session, writer: Writer, table: str, columns: list[str], condition: str) -> TableRows:
    listed = ", ".join(f'"{column}"' for column in columns)
    query = f'COPY (SELECT {listed} FROM "{table}" WHERE {condition}) TO STDOUT'  # noqa: S608  # of our models
    driver: Any = session.connection().connection.driver_connection
    with writer.member(f"{TABLES}{table}.copy") as target, driver.cursor() as cursor:
        cursor.copy_expert(query, target)
        return TableRows(name=table, columns=columns, rows=cursor.rowcount)
