"""Deployments: what has been made of blueprints (for making them see ``deployment_creation``)."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from manager import dsl, events, maintenance, pages, shapes, tenancy
from manager.dependencies import Database, Flag, ListQuery, Slot
from manager.errors import DependentExists, IllegalAction
from manager.listing import Kind, timestamp
from manager.models import ACTIVE_STATUSES, VISIBILITIES, Blueprint, Deployment, Execution, Node, NodeInstance
from manager.routes.json_route import Body, router
from manager.storage import Storage
from manager.tenancy import InTenant, Scope, WritingInTenant

deployments = router()

CREATION, DELETION = "create_deployment_environment", "delete_deployment_environment"
QUEUED = "queued"
DEAD_STATES = ("uninitialized", "deleted")
NAMED = 10
"""How many of those that are in the way a refusal names."""

DOCUMENTS = (
    *("inputs", "outputs", "capabilities", "groups", "scaling_groups", "policy_types", "policy_triggers"),
    "labels",
)

TABLE = shapes.table(
    Deployment,
    {
        **dict.fromkeys(("id", "blueprint_id", "description", "site_name"), Kind.TEXT),
        **dict.fromkeys(("created_at", "updated_at"), Kind.TIME),
        **dict.fromkeys((*DOCUMENTS, "workflows", "permalink"), Kind.OPAQUE),
    },
    {
        "blueprint_id": select(Blueprint.id)
        .where(Blueprint.pk == Deployment.blueprint_pk)
        .correlate(Deployment)
        .scalar_subquery()
    },
    owned=Deployment,
)


class Visibility(Body):
    """The body of ``PATCH /deployments/ID/set-visibility``."""

    visibility: Literal["tenant", "global"]


def shape(deployment: Deployment) -> dict[str, Any]:
    """A deployment as clients read it."""
    return {
        "id": deployment.id,
        "blueprint_id": deployment.blueprint_id,
        "description": deployment.description,
        "site_name": deployment.site_name,
        "created_at": timestamp(deployment.created_at),
        "updated_at": timestamp(deployment.updated_at),
        **{name: getattr(deployment, name) for name in DOCUMENTS},
        "workflows": [
            {
                "name": name,
                "created_at": timestamp(deployment.created_at),
                "plugin": workflow.get("plugin"),
                "parameters": workflow.get("parameters", {}),
            }
            for name, workflow in sorted(deployment.workflows.items())
        ],
        "permalink": None,
        **shapes.owner(deployment),
    }


@deployments.get("/deployments")
def list_deployments(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """All deployments that the caller sees."""
    statement = select(Deployment).where(scope.visible(Deployment, all_tenants=query.all_tenants))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query)
        return query.answer(map(shape, found), total)


@deployments.get("/deployments/{identifier}")
def read_deployment(identifier: str, scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """One deployment."""
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        return query.project(shape(tenancy.find(session, scope, Deployment, identifier)))


@deployments.get("/deployments/{identifier}/outputs")
def read_outputs(identifier: str, scope: InTenant, storage: Database) -> dict[str, Any]:
    """What the deployment's outputs are at this moment."""
    return {"deployment_id": identifier, "outputs": _evaluated(storage, scope, identifier, "outputs")}


@deployments.get("/deployments/{identifier}/capabilities")
def read_capabilities(identifier: str, scope: InTenant, storage: Database) -> dict[str, Any]:
    """What the deployment's capabilities are at this moment."""
    found = _evaluated(storage, scope, identifier, "capabilities")
    return {"deployment_id": identifier, "capabilities": found}


def _evaluated(storage: Storage, scope: Scope, identifier: str, name: str) -> dict[str, Any]:
    with storage.reading() as session:
        deployment = tenancy.find(session, scope, Deployment, identifier)
        definitions: dict[str, Any] = getattr(deployment, name)
        if not definitions:
            return {}
        nodes, instances = _runtime(session, deployment)
        inputs = deployment.inputs
    return dsl.evaluate(definitions, inputs=inputs, nodes=nodes, node_instances=instances)


def _runtime(session: Session, deployment: Deployment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The nodes and their instances, with what functions may ask of them."""
    nodes = select(Node.id, Node.properties, Node.relationships).where(Node.deployment_pk == deployment.pk)
    instances = (
        select(
            NodeInstance.id,
            Node.id.label("node_id"),
            NodeInstance.host_id,
            NodeInstance.runtime_properties,
            NodeInstance.relationships,
            NodeInstance.scaling_groups,
        )
        .join(Node, Node.pk == NodeInstance.node_pk)
        .where(Node.deployment_pk == deployment.pk)
        .order_by(NodeInstance.pk)
    )
    found = [[dict(row._mapping) for row in session.execute(it)] for it in (nodes, instances)]  # noqa: SLF001  # public in SQLAlchemy
    return found[0], found[1]


@deployments.delete("/deployments/{identifier}")
def delete_deployment(
    identifier: str, scope: WritingInTenant, storage: Database, slot: Slot, ignore_live_nodes: Flag = False
) -> dict[str, Any]:
    """Take a deployment away, with its executions and events. What stays is the execution that did it."""
    with storage.writing(slot) as session:
        maintenance.check_may_start(session)
        deployment = tenancy.find_own(session, scope, Deployment, identifier)
        _check_idle(session, deployment)
        if not ignore_live_nodes:
            _check_dead(session, deployment)
        gone = shape(deployment)
        former = (Execution.tenant_id == scope.tenant_id, Execution.deployment_id == identifier)
        session.execute(delete(Execution).where(*former))
        events.note_done(session, scope, DELETION, deployment, deployment_pk=None)
        session.delete(deployment)
        return gone


def _check_idle(session: Session, deployment: Deployment) -> None:
    running = select(Execution.id).where(
        Execution.deployment_pk == deployment.pk, Execution.status.in_((*ACTIVE_STATUSES, QUEUED))
    )
    if names := session.scalars(running.limit(NAMED)).all():
        raise DependentExists(
            f"Can't delete deployment {deployment.id} - There are running executions for this deployment. "
            f"Running executions ids: {','.join(names)}"
        )


def _check_dead(session: Session, deployment: Deployment) -> None:
    # All are locked, so that none comes to life before the deployment is gone.
    instances = (
        select(NodeInstance.id, NodeInstance.state)
        .where(NodeInstance.node_pk.in_(select(Node.pk).where(Node.deployment_pk == deployment.pk)))
        .order_by(NodeInstance.id)
        .with_for_update()
    )
    live = [name for name, state in session.execute(instances) if state not in DEAD_STATES]
    if live:
        raise DependentExists(
            f"Can't delete deployment {deployment.id} - There are live nodes for this deployment. "
            f"Live nodes ids: {','.join(live[:NAMED])}"
        )


@deployments.patch("/deployments/{identifier}/set-visibility")
def widen_deployment(
    identifier: str, change: Visibility, scope: WritingInTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """Show a deployment to more users than before, but to none who do not see its blueprint."""
    tenancy.check_visibility(scope, change.visibility)
    with storage.writing(slot) as session:
        deployment = tenancy.find_own(session, scope, Deployment, identifier)
        if not is_wider(change.visibility, deployment.visibility):
            raise IllegalAction(
                f"Can't set the visibility of `{identifier}` to {change.visibility} "
                f"because it is {deployment.visibility} already"
            )
        check_not_wider(identifier, change.visibility, deployment.blueprint)
        tenancy.check_unique(session, scope, Deployment, identifier, change.visibility)
        deployment.visibility, deployment.updated_at = change.visibility, func.now()
        own = Execution.deployment_pk == deployment.pk
        session.execute(update(Execution).where(own).values(visibility=change.visibility))
        session.flush()
        return shape(deployment)


def is_wider(visibility: str, than: str) -> bool:
    """Whether more users see the one."""
    return VISIBILITIES.index(visibility) > VISIBILITIES.index(than)


def check_not_wider(identifier: str, visibility: str, blueprint: Blueprint) -> None:
    """Raise ``IllegalAction`` where somebody would see a deployment, but not its blueprint."""
    if is_wider(visibility, blueprint.visibility):
        raise IllegalAction(
            f"The visibility of deployment `{identifier}` can't be wider than the visibility of its "
            f"blueprint `{blueprint.id}`. Current blueprint visibility is {blueprint.visibility}"
        )
