"""Uploading blueprints: from a stream of bytes to a row that refers to files which survive this machine.

The order is what matters: receive, check, unpack, give the files their place, have the replicas confirm them,
and only then commit the row. Parsing takes longest; it goes on while the replicas fetch.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import unquote

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy import exc, func, select
from sqlalchemy.orm import Session, undefer
from starlette.requests import ClientDisconnect

from manager import dsl, tenancy
from manager.dependencies import Cluster, Database
from manager.errors import BadParameters, Conflict, OutcomeUnknown
from manager.files import Folders, Sink, Unit, Work, check_id
from manager.files.archives import kind_of, unpack
from manager.files.receiving import Received
from manager.files.units import ARCHIVE, CONTENT
from manager.gateway import Gateway
from manager.models import DEFAULT_VISIBILITY, Blueprint
from manager.patience import WriteSlot, write_slot
from manager.repeats import REPEATED_WITHIN, Answered
from manager.routes.blueprints import KIND, shape
from manager.routes.json_route import NAME_PATTERN
from manager.routes.upload_body import Places, fetch, finish, receive
from manager.storage import Storage
from manager.tenancy import Scope, WritingInTenant

blueprint_upload = APIRouter(prefix="/api/v3.1")

MAX_ARCHIVE_BYTES = 4 * 1024**3
DEFAULT_MAIN_FILE = "blueprint.yaml"
PROTECT_TIMEOUT_S = 30.0

BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "description": "The archive: tar, tar.gz, tar.bz2 or zip, with exactly one folder at the top. "
        "None when `blueprint_archive_url` is given.",
        "content": {
            "application/octet-stream": BINARY,
            "application/json": BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "params": {"type": "string"},
                        "blueprint_archive": {"type": "string", "format": "binary"},
                    },
                }
            },
        },
    }
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client asks for, beside the archive itself."""

    id: str
    main_file: str = DEFAULT_MAIN_FILE
    visibility: str = DEFAULT_VISIBILITY
    url: str | None = None

    def with_fields(self, given: dict[str, Any]) -> Wanted:
        """With what a form says. Raises ``BadParameters``."""
        names = {
            "application_file_name": "main_file",
            "visibility": "visibility",
            "blueprint_archive_url": "url",
        }
        chosen = {names[name]: value for name, value in given.items() if name in names and value is not None}
        wrong = sorted(name for name, value in chosen.items() if not isinstance(value, str))
        if wrong:
            raise BadParameters(f"{', '.join(wrong)}: expected text")
        return replace(self, **chosen)


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload on its way. Its methods are for threads, but for ``run``."""

    wanted: Wanted
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
        return Unit(KIND, self.scope.tenant_name, self.wanted.id, self.work.storage_id)

    async def run(self, request: Request) -> dict[str, Any]:
        """The blueprint that came of it, which a client can be told of."""
        repeated = await anyio.to_thread.run_sync(self.repeated)
        if repeated is not None:
            return repeated
        places: Places = request.app.state.upload_places
        plan = await anyio.to_thread.run_sync(self.prepare, limiter=places.working)
        committing = False
        try:
            async with asynccontextmanager(write_slot)(request) as slot:
                committing = True
                return await anyio.to_thread.run_sync(self.commit, plan, slot)
        finally:
            if not committing:
                await anyio.to_thread.run_sync(self.discard)

    def repeated(self) -> dict[str, Any] | None:
        """The blueprint, when this upload only repeats one; None when there is none of that id.

        Raises ``Conflict``.
        """
        with self.storage.reading() as session:
            there = self._there(session)
            if there is None:
                return None
            age = session.scalar(select(func.now() - there.created_at))
            same = (there.archive_sha256, there.main_file_name, there.creator_id) == (
                self.received.sha256,
                self.wanted.main_file,
                self.scope.caller.user_id,
            )
            if not same or age is None or age > REPEATED_WITHIN or there.storage_id in self.answered:
                raise Conflict(f"Blueprint with ID `{self.wanted.id}` already exists")
            self.answered.note(there.storage_id)
            return shape(there, plan=True)

    def prepare(self) -> dict[str, Any]:
        """Give the files their place, and have them confirmed; the plan. On failure nothing is left."""
        unpack(self.received.path, self.work.folder / CONTENT)
        pool = ThreadPoolExecutor(1)
        try:
            self.unit.place(self.work.folder, self.folders)
            protecting = pool.submit(self.gateway.protect_files, PROTECT_TIMEOUT_S)
            plan = dsl.parse(self.unit.content(self.folders), self.wanted.main_file)
            protecting.result()
        except BaseException:
            self.discard()
            raise
        finally:
            # Who is told that a blueprint is wrong need not wait for replicas.
            pool.shutdown(wait=False)
        return plan

    def commit(self, plan: dict[str, Any], slot: WriteSlot) -> dict[str, Any]:
        """Write the row: from now on the blueprint is there."""
        try:
            with self.storage.writing(slot) as session:
                tenancy.check_unique(session, self.scope, Blueprint, self.wanted.id, self.wanted.visibility)
                blueprint = self._row(plan)
                session.add(blueprint)
                session.flush()
                return shape(blueprint, plan=True)
        except OutcomeUnknown:
            raise  # The row may be there, or come to be: it would need its files.
        except exc.IntegrityError as error:
            self.discard()
            if (repeated := self.repeated()) is not None:
                return repeated
            raise Conflict(f"Blueprint with ID `{self.wanted.id}` cannot be made here any more") from error
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Take the files away that no row will refer to."""
        self.unit.remove(self.folders)
        self.gateway.files_changed()

    def _there(self, session: Session) -> Blueprint | None:
        return session.scalar(
            select(Blueprint)
            .where(Blueprint.tenant_id == self.scope.tenant_id, Blueprint.id == self.wanted.id)
            .options(undefer(Blueprint.plan))
        )

    def _row(self, plan: dict[str, Any]) -> Blueprint:
        return Blueprint(
            id=self.wanted.id,
            tenant_id=self.scope.tenant_id,
            creator_id=self.scope.caller.user_id,
            visibility=self.wanted.visibility,
            storage_id=self.work.storage_id,
            archive_sha256=self.received.sha256,
            archive_name=f"{self.wanted.id}.{kind_of(self.unit.archive(self.folders))}",
            archive_bytes=self.received.size_bytes,
            main_file_name=self.wanted.main_file,
            description=plan["description"],
            plan=plan,
        )


@blueprint_upload.put("/blueprints/{identifier}", status_code=201, openapi_extra=BODY)
async def upload_blueprint(
    request: Request,
    identifier: str,
    scope: WritingInTenant,
    storage: Database,
    gateway: Cluster,
    application_file_name: Annotated[str, Query(max_length=1024)] = DEFAULT_MAIN_FILE,
    visibility: str = DEFAULT_VISIBILITY,
    blueprint_archive_url: str | None = None,
) -> Any:
    """Upload a blueprint. Repeating an upload whose answer was lost gives the same blueprint."""
    _check_id(identifier)
    wanted = Wanted(identifier, application_file_name, visibility, blueprint_archive_url)
    # A server that is stopped cancels its requests. But a thread goes on, and nothing may be tidied away
    # under its hands: the process ends soon enough.
    return await asyncio.shield(_upload(request, wanted, scope, storage, gateway))


async def _upload(request: Request, wanted: Wanted, scope: Scope, storage: Storage, gateway: Gateway) -> Any:
    folders: Folders = request.app.state.folders
    answered: Answered = request.app.state.answered
    async with contextmanager_in_threadpool(Work.begin(folders)) as work:
        try:
            wanted, received = await _receive(request, wanted, work)
        except ClientDisconnect:
            return Response(status_code=400)  # Nobody reads it.
        tenancy.check_visibility(scope, wanted.visibility)
        upload = Upload(wanted, scope, storage, gateway, folders, answered, work, received)
        blueprint = await upload.run(request)
        if not await request.is_disconnected():
            answered.note(work.storage_id)
        return blueprint


async def _receive(request: Request, wanted: Wanted, work: Work) -> tuple[Wanted, Received]:
    with Sink(work.folder / ARCHIVE, MAX_ARCHIVE_BYTES) as sink:
        wanted = wanted.with_fields(await receive(request, sink))
        # Existing clients encode the name once more than URLs need.
        wanted = replace(wanted, main_file=unquote(wanted.main_file))
        if wanted.url is not None:
            places: Places = request.app.state.upload_places
            await anyio.to_thread.run_sync(fetch, wanted.url, sink, MAX_ARCHIVE_BYTES, limiter=places.working)
        return wanted, await finish(request, sink)


def _check_id(identifier: str) -> None:
    check_id("blueprint", identifier)
    if not NAME_PATTERN.fullmatch(identifier):
        raise BadParameters(
            f"`{identifier[:256]}` cannot be the ID of a blueprint: letters, digits and `_.~-` are allowed"
        )
