"""The instances of nodes: what workflows bring into being, and note the state of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, contains_eager

from manager import pages, shapes
from manager.dependencies import Database, ListQuery, Slot
from manager.errors import Conflict, NotFound
from manager.listing import MAXIMUM, Kind
from manager.models import NAME_LENGTH, Deployment, Node, NodeInstance
from manager.routes.json_route import Body, Document, Text, router
from manager.routes.nodes import lean
from manager.tenancy import InTenant, Scope

node_instances = router()

DOCUMENTS = ("runtime_properties", "system_properties", "relationships", "scaling_groups")

TABLE = shapes.table(
    NodeInstance,
    {
        "id": Kind.TEXT,
        "deployment_id": Kind.TEXT,
        "node_id": Kind.TEXT,
        "host_id": Kind.TEXT,
        "state": Kind.TEXT,
        "version": Kind.NUMBER,
        "index": Kind.NUMBER,
        **dict.fromkeys(DOCUMENTS, Kind.OPAQUE),
    },
    {"deployment_id": Deployment.__table__.c.id, "node_id": Node.__table__.c.id},
    owned=Deployment,
)

ALIASES = {"node_name": "node_id"}
"""What some clients call it."""


class Update(Body):
    """The body of ``PATCH /node-instances/ID``. ``version``: of the instance that it was made from."""

    version: Annotated[int, Field(ge=0, le=MAXIMUM)]
    state: Annotated[Text, Field(max_length=NAME_LENGTH)] | None = None
    runtime_properties: Document | None = None


@node_instances.get("/node-instances")
def list_node_instances(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """The node instances of all deployments that the caller sees."""
    statement = _joined().where(scope.visible(Deployment, all_tenants=query.all_tenants))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query.renamed(ALIASES))
        return query.answer(map(_shape, found), total)


@node_instances.get("/node-instances/{identifier}")
def read_node_instance(
    identifier: str, scope: InTenant, storage: Database, query: ListQuery
) -> dict[str, Any]:
    """One node instance."""
    query.check_include(TABLE.fields)
    statement = _joined().where(scope.visible(Deployment))
    own_first = (NodeInstance.tenant_id == scope.tenant_id).desc()
    with storage.reading() as session:
        return query.project(_shape(_one(session, statement.order_by(own_first), identifier)))


@node_instances.patch("/node-instances/{identifier}")
def update_node_instance(
    identifier: str, update: Update, scope: InTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """Change state and runtime properties, if nobody has since ``version``."""
    scope.must_execute()
    with storage.writing(slot) as session:
        instance = _locked(session, scope, identifier)
        _check_version(instance, update)
        if update.state is not None:
            instance.state = update.state
        if update.runtime_properties is not None:
            instance.runtime_properties = update.runtime_properties
        instance.version, instance.updated_at = instance.version + 1, func.now()
        session.flush()
        return _shape(instance)


def _check_version(instance: NodeInstance, update: Update) -> None:
    wanted = update.version or 1  # Old clients say 0 for the first one.
    if instance.version != wanted:
        raise Conflict(
            f"Node instance update conflict [current version={instance.version}, update version={wanted}]"
        )


def _joined() -> Select[Any]:
    path = contains_eager(NodeInstance.node).load_only(Node.id).contains_eager(Node.deployment)
    return (
        select(NodeInstance)
        .join(NodeInstance.node)
        .join(Node.deployment)
        .join(Deployment.blueprint)
        .options(lean(path))
    )


def _locked(session: Session, scope: Scope, identifier: str) -> NodeInstance:
    statement = _joined().where(scope.own(Deployment)).with_for_update(of=NodeInstance)
    return _one(session, statement, identifier)


def _one(session: Session, statement: Select[Any], identifier: str) -> NodeInstance:
    found: NodeInstance | None = None
    if "\0" not in identifier:
        found = session.scalars(statement.where(NodeInstance.id == identifier)).unique().first()
    if found is None:
        raise NotFound.of("NodeInstance", identifier)
    return found


def _shape(instance: NodeInstance) -> dict[str, Any]:
    deployment = instance.node.deployment
    return {
        "id": instance.id,
        "deployment_id": deployment.id,
        "node_id": instance.node.id,
        "host_id": instance.host_id,
        "state": instance.state,
        "version": instance.version,
        "index": instance.index,
        **{name: getattr(instance, name) for name in DOCUMENTS},
        **shapes.owner(deployment),
    }
