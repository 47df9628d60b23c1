"""Uploading snapshots, in the order in which blueprints are uploaded: files, replicas, row."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy import exc, func, select
from starlette.requests import ClientDisconnect

from manager.dependencies import Cluster, Database
from manager.errors import Conflict, OutcomeUnknown
from manager.files import Folders, Sink, Unit, Work
from manager.files.receiving import Received
from manager.files.units import ARCHIVE
from manager.gateway import Gateway
from manager.models import Snapshot
from manager.patience import WriteSlot, write_slot
from manager.repeats import REPEATED_WITHIN, Answered
from manager.routes.snapshots import PRIVATE, AdminInTenant, check_name, shape
from manager.routes.upload_body import Places, fetch, finish, receive
from manager.snapshots.archive import Reader
from manager.snapshots.checks import KIND
from manager.storage import Storage
from manager.tenancy import Scope

snapshot_upload = APIRouter(prefix="/api/v3.1")

MAX_ARCHIVE_BYTES = 256 * 1024**3
PROTECT_TIMEOUT_S = 600.0
UPLOADED = "uploaded"

BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "description": "The snapshot. None when `snapshot_archive_url` is given.",
        "content": {"application/octet-stream": BINARY, "application/json": BINARY},
    }
}


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload on its way. Its methods are for threads."""

    id: str
    scope: Scope
    storage: Storage
    gateway: Gateway
    folders: Folders
    answered: Answered
    work: Work
    received: Received

    @property
    def unit(self) -> Unit:
        """Where its file goes."""
        return Unit(KIND, self.scope.tenant_name, self.id, self.work.storage_id)

    def repeated(self) -> dict[str, Any] | None:
        """The snapshot, when this upload only repeats one (``repeats``); None: there is none of that id.

        Raises ``Conflict``.
        """
        there = select(Snapshot).where(Snapshot.tenant_id == self.scope.tenant_id, Snapshot.id == self.id)
        with self.storage.reading() as session:
            snapshot = session.scalar(there)
            if snapshot is None:
                return None
            age = session.scalar(select(func.now() - snapshot.created_at))
            same = (snapshot.status, snapshot.archive_sha256, snapshot.creator_id) == (
                UPLOADED,
                self.received.sha256,
                self.scope.caller.user_id,
            )
            storage_id = snapshot.storage_id
            recent = age is not None and age <= REPEATED_WITHIN
            if not same or not recent or storage_id is None or storage_id in self.answered:
                raise Conflict(f"Snapshot with ID `{self.id}` already exists")
            self.answered.note(storage_id)
            return shape(snapshot)

    def prepare(self) -> None:
        """Check the file, give it its place, and have it confirmed. Raises ``BadParameters``."""
        with Reader(self.received.path):
            pass
        try:
            self.unit.place(self.work.folder, self.folders)
            self.gateway.protect_files(PROTECT_TIMEOUT_S)
        except BaseException:
            self.discard()
            raise

    def commit(self, slot: WriteSlot) -> dict[str, Any]:
        """Write the row: from now on the snapshot is there."""
        try:
            with self.storage.writing(slot) as session:
                snapshot = self._row()
                session.add(snapshot)
                session.flush()
                return shape(snapshot)
        except OutcomeUnknown:
            raise  # The row may be there, or come to be: it would need its file.
        except exc.IntegrityError as error:
            self.discard()
            if (repeated := self.repeated()) is not None:
                return repeated
            raise Conflict(f"Snapshot with ID `{self.id}` cannot be made here any more") from error
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Take the file away that no row will refer to."""
        self.unit.remove(self.folders)
        self.gateway.files_changed()

    def _row(self) -> Snapshot:
        return Snapshot(
            id=self.id,
            tenant_id=self.scope.tenant_id,
            creator_id=self.scope.caller.user_id,
            visibility=PRIVATE,
            status=UPLOADED,
            storage_id=self.work.storage_id,
            archive_sha256=self.received.sha256,
            archive_bytes=self.received.size_bytes,
        )

    async def run(self, request: Request) -> dict[str, Any]:
        """The snapshot that came of it, which a client can be told of."""
        repeated = await anyio.to_thread.run_sync(self.repeated)
        if repeated is not None:
            return repeated
        places: Places = request.app.state.upload_places
        await anyio.to_thread.run_sync(self.prepare, limiter=places.working)
        committing = False
        try:
            async with asynccontextmanager(write_slot)(request) as slot:
                committing = True
                return await anyio.to_thread.run_sync(self.commit, slot)
        finally:
            if not committing:
                await anyio.to_thread.run_sync(self.discard)


@snapshot_upload.put("/snapshots/{identifier}/archive", status_code=201, openapi_extra=BODY)
async def upload_snapshot(
    request: Request,
    identifier: str,
    scope: AdminInTenant,
    storage: Database,
    gateway: Cluster,
    snapshot_archive_url: str | None = None,
) -> Any:
    """Upload a snapshot. Repeating an upload whose answer was lost gives the same snapshot."""
    check_name(identifier)
    # As with blueprints: a thread that goes on shall not lose the ground under its feet.
    return await asyncio.shield(_upload(request, identifier, snapshot_archive_url, scope, storage, gateway))


async def _upload(
    request: Request, identifier: str, url: str | None, scope: Scope, storage: Storage, gateway: Gateway
) -> Any:
    folders: Folders = request.app.state.folders
    answered: Answered = request.app.state.answered
    async with contextmanager_in_threadpool(Work.begin(folders)) as work:
        try:
            received = await _receive(request, url, work)
        except ClientDisconnect:
            return Response(status_code=400)  # Nobody reads it.
        upload = Upload(identifier, scope, storage, gateway, folders, answered, work, received)
        snapshot = await upload.run(request)
        if not await request.is_disconnected():
            answered.note(work.storage_id)
        return snapshot


async def _receive(request: Request, url: str | None, work: Work) -> Received:
    with Sink(work.folder / ARCHIVE, MAX_ARCHIVE_BYTES) as sink:
        given = (await receive(request, sink)).get("snapshot_archive_url", url)
        if given is not None:
            places: Places = request.app.state.upload_places
            await anyio.to_thread.run_sync(fetch, given, sink, MAX_ARCHIVE_BYTES, limiter=places.working)
        return await finish(request, sink)
