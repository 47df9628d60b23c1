"""The way of an upload: from a stream of bytes to a row that refers to files which survive this machine.

The order is what matters: receive, check, give the files their place, have the replicas confirm them,
and only then commit the row. What the row needs to know of the files is read while the replicas fetch them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import anyio.to_thread
from fastapi import Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy import exc, func, select
from starlette.requests import ClientDisconnect

from manager import tenancy
from manager.errors import Conflict, OutcomeUnknown
from manager.files import Folders, Sink, Unit, Work
from manager.files.receiving import Received
from manager.files.units import ARCHIVE
from manager.gateway import Gateway
from manager.models import Blueprint, Snapshot
from manager.patience import write_slot
from manager.repeats import REPEATED_WITHIN, Answered
from manager.routes.upload_body import Places, fetch, finish, receive
from manager.slots import WriteSlot
from manager.storage import Storage
from manager.tenancy import Scope

R = TypeVar("R", Blueprint, Snapshot)
Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Generic[R]):
    """What a client wants to be there: a row and its files.

    ``kind``: the folder of its units. ``url``: where the archive is to be fetched from; None: it is in the
    request. ``alike``: what the row has, beside its owner and its archive, so that an upload repeats it.
    ``shape``: the row as clients read it.
    ``check`` looks into the folder in which the archive has arrived, and may put more there; ``read`` says
    what else the row has, from the unit that this folder has become. Both raise ``BadParameters``.
    """

    model: type[R]
    kind: str
    id: str
    visibility: str
    url: str | None
    alike: Columns
    shape: Callable[[R], dict[str, Any]]
    check: Callable[[Path], None]
    read: Callable[[Path], Columns] = lambda _: {}
    protect_timeout_s: float

    def conflict(self, why: str) -> Conflict:
        """The error for a row that there cannot be."""
        return Conflict(f"{self.model.__name__} with ID `{self.id}` {why}")


@dataclass(frozen=True, slots=True)
class Upload(Generic[R]):
    """One upload on its way. Its methods are for threads, but for ``run``."""

    wanted: Wanted[R]
    scope: Scope
    storage: Storage
    gateway: Gateway
    folders: Folders
    answered: Answered
    work: Work
    received: Received

    @property
    def unit(self) -> Unit:
        """Where its files go."""
        return Unit(self.wanted.kind, self.scope.tenant_name, self.wanted.id, self.work.storage_id)

    async def run(self, request: Request) -> dict[str, Any]:
        """What came of it, as a client can be told."""
        repeated = await anyio.to_thread.run_sync(self.repeated)
        if repeated is not None:
            return repeated
        places: Places = request.app.state.upload_places
        columns = await anyio.to_thread.run_sync(self.prepare, limiter=places.working)
        committing = False
        try:
            async with asynccontextmanager(write_slot)(request) as slot:
                committing = True
                return await anyio.to_thread.run_sync(self.commit, columns, slot)
        finally:
            if not committing:
                await anyio.to_thread.run_sync(self.discard)

    def repeated(self) -> dict[str, Any] | None:
        """What is there, when this upload only repeats it (``repeats``); None: there is none of that id.

        Raises ``Conflict``.
        """
        model, wanted = self.wanted.model, self.wanted
        query = select(model).where(model.tenant_id == self.scope.tenant_id, model.id == wanted.id)
        with self.storage.reading() as session:
            there = session.scalar(query)
            if there is None:
                return None
            age = session.scalar(select(func.now() - there.created_at))
            same = all(getattr(there, name) == value for name, value in self._known().items())
            recent = age is not None and age <= REPEATED_WITHIN
            storage_id: str | None = there.storage_id
            if not same or not recent or storage_id is None or storage_id in self.answered:
                raise wanted.conflict("already exists")
            self.answered.note(storage_id)
            return wanted.shape(there)

    def prepare(self) -> Columns:
        """Give the files their place, and have them confirmed; what they say. On failure nothing is left."""
        self.wanted.check(self.work.folder)
        pool = ThreadPoolExecutor(1)
        try:
            self.unit.place(self.work.folder, self.folders)
            protecting = pool.submit(self.gateway.protect_files, self.wanted.protect_timeout_s)
            columns = self.wanted.read(self.unit.path(self.folders))
            protecting.result()
        except BaseException:
            self.discard()
            raise
        finally:
            # Who is told that an archive is wrong need not wait for replicas.
            pool.shutdown(wait=False)
        return columns

    def commit(self, columns: Columns, slot: WriteSlot) -> dict[str, Any]:
        """Write the row: from now on it is there."""
        wanted = self.wanted
        try:
            with self.storage.writing(slot) as session:
                tenancy.check_unique(session, self.scope, wanted.model, wanted.id, wanted.visibility)
                row = self._row(columns)
                session.add(row)
                session.flush()
                return wanted.shape(row)
        except OutcomeUnknown:
            raise  # The row may be there, or come to be: it would need its files.
        except exc.IntegrityError as error:
            self.discard()
            if (repeated := self.repeated()) is not None:
                return repeated
            raise wanted.conflict("cannot be made here any more") from error
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Take the files away that no row will refer to."""
        self.unit.remove(self.folders)
        self.gateway.files_changed()

    def _known(self) -> dict[str, Any]:
        """What is known of the row before its archive is looked into; a repeat has the same."""
        return {
            "archive_sha256": self.received.sha256,
            "creator_id": self.scope.caller.user_id,
            **self.wanted.alike,
        }

    def _row(self, columns: Columns) -> R:
        return self.wanted.model(
            id=self.wanted.id,
            tenant_id=self.scope.tenant_id,
            visibility=self.wanted.visibility,
            storage_id=self.work.storage_id,
            archive_bytes=self.received.size_bytes,
            **self._known(),
            **columns,
        )


@dataclass(frozen=True, slots=True)
class Uploading(Generic[R]):
    """A request that uploads. ``ask``: what is wanted, by the fields of a form, if there is one."""

    request: Request
    scope: Scope
    storage: Storage
    gateway: Gateway
    ask: Callable[[dict[str, Any]], Wanted[R]]
    max_bytes: int

    async def answer(self) -> Any:
        """The answer to the request."""
        # A server that is stopped cancels its requests. But a thread goes on, and nothing may be tidied away
        # under its hands: the process ends soon enough.
        return await asyncio.shield(self._answer())

    async def _answer(self) -> Any:
        state = self.request.app.state
        folders: Folders = state.folders
        answered: Answered = state.answered
        async with contextmanager_in_threadpool(Work.begin(folders)) as work:
            try:
                wanted, received = await self._receive(work)
            except ClientDisconnect:
                return Response(status_code=400)  # Nobody reads it.
            tenancy.check_visibility(self.scope, wanted.visibility)
            upload = Upload(wanted, self.scope, self.storage, self.gateway, folders, answered, work, received)
            item = await upload.run(self.request)
            if not await self.request.is_disconnected():
                answered.note(work.storage_id)
            return item

    async def _receive(self, work: Work) -> tuple[Wanted[R], Received]:
        places: Places = self.request.app.state.upload_places
        with Sink(work.folder / ARCHIVE, self.max_bytes) as sink:
            wanted = self.ask(await receive(self.request, sink))
            if wanted.url is not None:
                await anyio.to_thread.run_sync(
                    fetch, wanted.url, sink, self.max_bytes, limiter=places.working
                )
            return wanted, await finish(self.request, sink)
