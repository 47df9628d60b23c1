"""Manager snapshots: made, listed, fetched, restored and deleted (for uploading see ``snapshot_upload``).

All of it is for administrators: a snapshot has the data of all tenants and users.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import FileResponse
from sqlalchemy import exc, select
from sqlalchemy.orm import Session

from manager import pages, shapes, tenancy
from manager.dependencies import Cluster, Database, ListQuery, Slot
from manager.errors import BadParameters, Conflict, SnapshotAction, Unavailable
from manager.files import Folders, check_id
from manager.listing import Kind, timestamp
from manager.models import Execution, Snapshot
from manager.routes.json_route import NAME_PATTERN, Body, router
from manager.snapshots.checks import check_may_restore, unit_of
from manager.snapshots.labour import CREATING, CREATION, RESTORATION, UNFINISHED, Order
from manager.snapshots.office import Office
from manager.tenancy import InTenant, Scope

snapshots = router()

PRIVATE = "private"
RUNNING, NOT_RUNNING = "running", "not-running"

TABLE = shapes.table(
    Snapshot,
    {**dict.fromkeys(("id", "status", "error"), Kind.TEXT), "created_at": Kind.TIME},
    owned=Snapshot,
)


class Contents(Body):
    """The body of ``PUT /snapshots/ID``. There are no metrics and no keys of agents to take along."""

    include_metrics: bool = False
    include_credentials: bool = True
    include_logs: bool = True
    include_events: bool = True
    queue: bool = False


class Restore(Body):
    """The body of ``POST /snapshots/ID/restore``."""

    recreate_deployments_envs: bool = True
    force: bool = False
    restore_certificates: bool = False
    no_reboot: bool = False
    ignore_plugin_failure: bool = False


def _administrator(scope: InTenant) -> Scope:
    scope.caller.must_be_admin()
    return scope


async def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


AdminInTenant = Annotated[Scope, Depends(_administrator)]
Snapshots = Annotated[Office, Depends(_office)]


def check_name(identifier: str) -> None:
    """Raise ``BadParameters`` for what cannot be the id of a snapshot."""
    check_id("snapshot", identifier)
    if not NAME_PATTERN.fullmatch(identifier):
        raise BadParameters(
            f"`{identifier[:256]}` cannot be the ID of a snapshot: letters, digits and `_.~-` are allowed"
        )


def shape(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as clients read it."""
    return {
        "id": snapshot.id,
        "created_at": timestamp(snapshot.created_at),
        "status": snapshot.status,
        "error": snapshot.error,
        **shapes.owner(snapshot),
    }


@snapshots.get("/snapshots")
def list_snapshots(scope: AdminInTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """All snapshots."""
    statement = select(Snapshot).where(scope.visible(Snapshot, all_tenants=query.all_tenants))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query)
        return query.answer(map(shape, found), total)


@snapshots.get("/snapshots/{identifier}")
def read_snapshot(
    identifier: str, scope: AdminInTenant, storage: Database, query: ListQuery
) -> dict[str, Any]:
    """One snapshot."""
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        return query.project(shape(tenancy.find(session, scope, Snapshot, identifier)))


@snapshots.put("/snapshots/{identifier}", status_code=201)
def create_snapshot(
    identifier: str, contents: Contents, scope: AdminInTenant, office: Snapshots, slot: Slot
) -> dict[str, Any]:
    """Begin to make a snapshot; the execution tells how far it is."""
    check_name(identifier)
    options = contents.model_dump(exclude={"queue"})
    order = Order(CREATION, identifier, options, queue=contents.queue)

    def prepare(session: Session) -> None:
        row = {"id": identifier, "tenant_id": scope.tenant_id, "creator_id": scope.caller.user_id}
        session.add(Snapshot(**row, status=CREATING, visibility=PRIVATE))
        try:
            session.flush()
        except exc.IntegrityError as error:
            raise Conflict(f"Snapshot with ID `{identifier}` already exists") from error

    return office.begin(scope, order, slot, prepare)


@snapshots.get(
    "/snapshots/{identifier}/archive",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def download_snapshot(
    request: Request, identifier: str, scope: AdminInTenant, storage: Database
) -> FileResponse:
    """The file."""
    with storage.reading() as session:
        unit = unit_of(tenancy.find(session, scope, Snapshot, identifier))
    folders: Folders = request.app.state.folders
    archive = unit.archive(folders)
    if not archive.is_file():
        # A new leader lets its clients in before it has fetched the last file that it lacks.
        raise Unavailable(f"The file of the snapshot `{identifier}` is not on this manager (yet).")
    headers = {"Content-Disposition": f"attachment; filename={identifier}.zip"}
    return FileResponse(archive, media_type="application/octet-stream", headers=headers)


@snapshots.delete("/snapshots/{identifier}")
def delete_snapshot(
    request: Request, identifier: str, scope: AdminInTenant, storage: Database, gateway: Cluster, slot: Slot
) -> dict[str, Any]:
    """Take a snapshot and its file away."""
    with storage.writing(slot) as session:
        snapshot = tenancy.find_own(session, scope, Snapshot, identifier)
        if snapshot.status == CREATING:
            raise SnapshotAction(f"Snapshot `{identifier}` is being made, and cannot be deleted yet")
        gone = shape(snapshot)
        unit = unit_of(snapshot) if snapshot.storage_id else None
        session.delete(snapshot)
    if unit is not None:
        unit.remove(request.app.state.folders)
        gateway.files_changed()
    return gone


@snapshots.post("/snapshots/{identifier}/restore")
def restore_snapshot(
    request: Request,
    identifier: str,
    options: Restore,
    scope: AdminInTenant,
    office: Snapshots,
    gateway: Cluster,
    slot: Slot,
) -> dict[str, Any]:
    """Begin to make this manager what the snapshot says; the execution tells how far it is."""
    order = Order(RESTORATION, identifier, options.model_dump())

    def prepare(session: Session) -> None:
        snapshot = tenancy.find_own(session, scope, Snapshot, identifier)
        archive = unit_of(snapshot).archive(request.app.state.folders)
        if not archive.is_file():
            raise Unavailable(f"The file of the snapshot `{identifier}` is not on this manager (yet).")
        check_may_restore(session, gateway, archive, force=options.force)

    return office.begin(scope, order, slot, prepare)


@snapshots.get("/snapshot-status")
def read_status(_: AdminInTenant, storage: Database) -> dict[str, str]:
    """Whether a snapshot is being restored."""
    running = select(Execution.pk).where(
        Execution.workflow_id == RESTORATION, Execution.is_system_workflow, Execution.status.in_(UNFINISHED)
    )
    with storage.reading() as session:
        found = session.scalar(running.limit(1))
    return {"status": NOT_RUNNING if found is None else RUNNING}
