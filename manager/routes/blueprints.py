"""Blueprints: what has been uploaded (for uploading see ``blueprint_upload``)."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Request
from fastapi.responses import FileResponse
from sqlalchemy import exc, func, select
from sqlalchemy.orm import Session, undefer

from manager import pages, tenancy
from manager.dependencies import Cluster, Database, Flag, ListQuery, Slot
from manager.errors import DependentExists, IllegalAction, Unavailable
from manager.files import Folders, Unit
from manager.listing import Kind, timestamp
from manager.models import VISIBILITIES, Blueprint, Deployment
from manager.routes.json_route import Body, router
from manager.tenancy import InTenant, WritingInTenant

blueprints = router()

KIND = "blueprints"

TABLE = pages.Table(
    fields={
        "id": Kind.TEXT,
        "description": Kind.TEXT,
        "main_file_name": Kind.TEXT,
        "created_at": Kind.TIME,
        "updated_at": Kind.TIME,
        "visibility": Kind.TEXT,
        "tenant_name": Kind.TEXT,
        "created_by": Kind.TEXT,
        "plan": Kind.OPAQUE,
        "private_resource": Kind.OPAQUE,
        "state": Kind.OPAQUE,
        "error": Kind.OPAQUE,
    },
    columns={
        **{
            name: Blueprint.__table__.c[name]
            for name in ("id", "description", "main_file_name", "created_at", "updated_at", "visibility")
        },
        "tenant_name": tenancy.tenant_name(Blueprint),
        "created_by": tenancy.created_by(Blueprint),
    },
    name="id",
    key=Blueprint.__table__.c.pk,
)

LARGE = "plan"
"""Left out of lists that do not ask for it: a thousand plans would not fit into memory."""


class Visibility(Body):
    """The body of ``PATCH /blueprints/ID/set-visibility``."""

    visibility: Literal["tenant", "global"]


def shape(blueprint: Blueprint, *, plan: bool) -> dict[str, Any]:
    """A blueprint as clients read it. ``state`` and ``error`` are what newer ones look at."""
    item = {
        "id": blueprint.id,
        "description": blueprint.description,
        "main_file_name": blueprint.main_file_name,
        "created_at": timestamp(blueprint.created_at),
        "updated_at": timestamp(blueprint.updated_at),
        "visibility": blueprint.visibility,
        "tenant_name": blueprint.tenant_name,
        "created_by": blueprint.created_by,
        "private_resource": blueprint.visibility == "private",
        "state": "uploaded",
        "error": None,
    }
    return {**item, LARGE: blueprint.plan} if plan else item


def unit_of(blueprint: Blueprint) -> Unit:
    """Its files."""
    return Unit(KIND, blueprint.tenant_name, blueprint.id, blueprint.storage_id)


@blueprints.get("/blueprints")
def list_blueprints(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """All blueprints that the caller sees; their plans only if ``_include`` names them."""
    plan = query.include is not None and LARGE in query.include
    statement = select(Blueprint).where(scope.visible(Blueprint, all_tenants=query.all_tenants))
    if plan:
        statement = statement.options(undefer(Blueprint.plan))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query)
        return query.answer([shape(blueprint, plan=plan) for blueprint in found], total)


@blueprints.get("/blueprints/{identifier}")
def read_blueprint(identifier: str, scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """One blueprint with its plan."""
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        blueprint = tenancy.find(session, scope, Blueprint, identifier, undefer(Blueprint.plan))
        return query.project(shape(blueprint, plan=True))


@blueprints.get(
    "/blueprints/{identifier}/archive",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def download_blueprint(request: Request, identifier: str, scope: InTenant, storage: Database) -> FileResponse:
    """The archive, byte for byte as it was uploaded."""
    with storage.reading() as session:
        blueprint = tenancy.find(session, scope, Blueprint, identifier)
    folders: Folders = request.app.state.folders
    archive = unit_of(blueprint).archive(folders)
    if not archive.is_file():
        # A new leader lets its clients in before it has fetched the last file that it lacks.
        raise Unavailable(f"The archive of the blueprint `{identifier}` is not on this manager (yet).")
    # Existing clients take the name as it stands: without quotation marks.
    headers = {"Content-Disposition": f"attachment; filename={blueprint.archive_name}"}
    return FileResponse(archive, media_type="application/octet-stream", headers=headers)


@blueprints.delete("/blueprints/{identifier}")
def delete_blueprint(
    request: Request,
    identifier: str,
    scope: WritingInTenant,
    storage: Database,
    gateway: Cluster,
    slot: Slot,
    force: Flag = False,  # noqa: ARG001  # existing clients send it
) -> dict[str, Any]:
    """Take a blueprint and its files away. ``force`` is understood, but deployments always keep it."""
    try:
        with storage.writing(slot) as session:
            blueprint = tenancy.find_own(session, scope, Blueprint, identifier)
            _check_unused(session, blueprint)
            gone, unit = shape(blueprint, plan=False), unit_of(blueprint)
            session.delete(blueprint)
    except exc.IntegrityError as error:
        raise DependentExists(
            f"Can't delete blueprint {identifier} - a deployment has just been made"
        ) from error
    unit.remove(request.app.state.folders)
    gateway.files_changed()
    return gone


@blueprints.patch("/blueprints/{identifier}/set-visibility")
def widen_blueprint(
    identifier: str, change: Visibility, scope: WritingInTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """Show a blueprint to more users than before."""
    tenancy.check_visibility(scope, change.visibility)
    with storage.writing(slot) as session:
        blueprint = tenancy.find_own(session, scope, Blueprint, identifier)
        if VISIBILITIES.index(blueprint.visibility) >= VISIBILITIES.index(change.visibility):
            raise IllegalAction(
                f"Can't set the visibility of `{identifier}` to {change.visibility} "
                f"because it is {blueprint.visibility} already"
            )
        tenancy.check_unique(session, scope, Blueprint, identifier, change.visibility)
        blueprint.visibility, blueprint.updated_at = change.visibility, func.now()
        session.flush()
        return shape(blueprint, plan=True)


def _check_unused(session: Session, blueprint: Blueprint) -> None:
    used = select(Deployment.id).where(Deployment.blueprint_pk == blueprint.pk).order_by(Deployment.id)
    names = session.scalars(used.limit(10)).all()
    if names:
        raise DependentExists(
            f"Can't delete blueprint {blueprint.id} - There exist deployments for this blueprint; "
            f"Deployments ids: {','.join(names)}"
        )
