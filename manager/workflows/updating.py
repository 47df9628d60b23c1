"""The task that scaling needs: instances are added and removed, within the transaction of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from manager.models import Deployment, Node, NodeInstance

Json = dict[str, Any]


def update_instances(session: Session, deployment_pk: int, tenant_id: int, parameters: Json) -> None:
    """Change the instances of a deployment. Done twice it is as done once: what it writes are no differences.

    ``parameters``: ``add``, a list of new instances as ``dsl.modify`` names them; ``remove``, a list of ids;
    ``relationships``, all that an instance has from now on, by id; ``counts``, see ``changing.compute``.
    """
    nodes = {
        row.id: row.pk
        for row in session.execute(select(Node.id, Node.pk).where(Node.deployment_pk == deployment_pk))
    }
    for row in parameters.get("add", ()):
        _add(session, nodes[row["node_id"]], tenant_id, row)
    known = NodeInstance.node_pk.in_(nodes.values())
    for identifier, relationships in parameters.get("relationships", {}).items():
        values = {"relationships": relationships, "version": NodeInstance.version + 1}
        session.execute(update(NodeInstance).where(known, NodeInstance.id == identifier).values(values))
    if gone := parameters.get("remove"):
        session.execute(delete(NodeInstance).where(known, NodeInstance.id.in_(gone)))
    _count(session, deployment_pk, parameters["counts"])


def _add(session: Session, node_pk: int, tenant_id: int, row: Mapping[str, Any]) -> None:
    last: ColumnElement[int] = func.coalesce(func.max(NodeInstance.index), 0)
    index = select(last + 1).where(NodeInstance.node_pk == node_pk).scalar_subquery()
    values = {
        "id": row["id"],
        "tenant_id": tenant_id,
        "node_pk": node_pk,
        "index": index,
        "runtime_properties": {},
        "system_properties": {},
        "relationships": row.get("relationships", []),
        "scaling_groups": row.get("scaling_groups", []),
        "host_id": row.get("host_id"),
    }
    session.execute(insert(NodeInstance).values(values).on_conflict_do_nothing())


def _count(session: Session, deployment_pk: int, counts: Json) -> None:
    entity, current, planned = counts["entity"], counts["current"], counts["planned"]
    if not counts["is_group"]:
        values = {"number_of_instances": current, "planned_number_of_instances": planned}
        chosen = (Node.deployment_pk == deployment_pk, Node.id == entity)
        session.execute(update(Node).where(*chosen).values(values))
        return
    deployment = session.get_one(Deployment, deployment_pk, with_for_update={"of": Deployment})
    group = deployment.scaling_groups[entity]
    properties = {**group["properties"], "current_instances": current, "planned_instances": planned}
    deployment.scaling_groups = {
        **deployment.scaling_groups,
        entity: {**group, "properties": properties},
    }
    session.flush()
