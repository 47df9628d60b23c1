"""The nodes of deployments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Load, contains_eager

from manager import pages, shapes
from manager.dependencies import Database, ListQuery
from manager.listing import Kind
from manager.models import Blueprint, Deployment, Node
from manager.routes.json_route import router
from manager.tenancy import InTenant

nodes = router()

COUNTS = (
    "number_of_instances",
    "planned_number_of_instances",
    "deploy_number_of_instances",
    "min_number_of_instances",
    "max_number_of_instances",
)
DOCUMENTS = ("type_hierarchy", "properties", "operations", "relationships", "plugins", "plugins_to_install")

TABLE = shapes.table(
    Node,
    {
        "id": Kind.TEXT,
        "deployment_id": Kind.TEXT,
        "blueprint_id": Kind.TEXT,
        "type": Kind.TEXT,
        "host_id": Kind.TEXT,
        **dict.fromkeys(COUNTS, Kind.NUMBER),
        **dict.fromkeys(DOCUMENTS, Kind.OPAQUE),
    },
    {"deployment_id": Deployment.__table__.c.id, "blueprint_id": Blueprint.__table__.c.id},
    owned=Deployment,
)

ALIASES = {"node_id": "id"}
"""What some clients call it."""


def lean(path: Any) -> Load:
    """Load a deployment, joined already, along ``path``: its names, but none of its documents."""
    option: Load = path.load_only(
        Deployment.id, Deployment.visibility, Deployment.tenant_id, Deployment.creator_id
    ).contains_eager(Deployment.blueprint)
    return option


@nodes.get("/nodes")
def list_nodes(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """The nodes of all deployments that the caller sees."""
    statement: Select[Any] = (
        select(Node)
        .join(Node.deployment)
        .join(Deployment.blueprint)
        .where(scope.visible(Deployment, all_tenants=query.all_tenants))
        .options(lean(contains_eager(Node.deployment)))
    )
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query.renamed(ALIASES))
        return query.answer(map(_shape, found), total)


def _shape(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "deployment_id": node.deployment.id,
        "blueprint_id": node.deployment.blueprint_id,
        "type": node.type,
        "host_id": node.host_id,
        **{name: getattr(node, name) for name in (*COUNTS, *DOCUMENTS)},
        **shapes.owner(node.deployment),
    }
