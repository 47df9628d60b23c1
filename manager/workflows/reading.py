"""What a workflow function's context is made of: the execution, its deployment, and its stored graphs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.models import Agent, Deployment, Execution, Node, NodeInstance
from manager.storage import Storage
from manager.workflows import store
from manager.workflows.model import Task

Json = dict[str, Any]
Row = Any
"""A row of nodes or instances, with the columns below as attributes."""

NODE_COLUMNS = (
    *(Node.pk, Node.id, Node.type, Node.type_hierarchy, Node.properties, Node.operations, Node.relationships),
    *(Node.plugins, Node.plugins_to_install, Node.host_id, Node.number_of_instances),
    *(Node.planned_number_of_instances, Node.deploy_number_of_instances),
    *(Node.min_number_of_instances, Node.max_number_of_instances),
)
INSTANCE_COLUMNS = (
    *(NodeInstance.id, NodeInstance.node_pk, NodeInstance.index, NodeInstance.state),
    *(NodeInstance.runtime_properties, NodeInstance.system_properties, NodeInstance.relationships),
    *(NodeInstance.scaling_groups, NodeInstance.host_id, NodeInstance.version),
)


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often (-1: for ever) and how fast an operation is tried again, if its blueprint does not say."""

    max_retries: int = 60
    retry_interval_s: float = 15.0


@dataclass(frozen=True, slots=True)
class BlueprintFacts:
    """The blueprint of the deployment."""

    id: str


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """The deployment as it was when the workflow function began."""

    id: str
    inputs: Json
    outputs: Json
    capabilities: Json
    workflows: Json
    groups: Json
    scaling_groups: Json


@dataclass(frozen=True, slots=True)
class Facts:
    """The execution as it was when the workflow function began."""

    execution_id: str
    workflow_id: str
    tenant_name: str
    creator: str | None
    dry_run: bool
    resume: bool
    wait_after_fail: int
    blueprint: BlueprintFacts
    deployment: DeploymentFacts


@dataclass(frozen=True, slots=True)
class Rows:
    """Nodes and instances in the order in which they were made. ``agents``: their names by instance."""

    nodes: Sequence[Row]
    instances: Sequence[Row]
    agents: Mapping[str, str]


class Source(Protocol):
    """Where it is read from."""

    def facts(self) -> Facts:
        """The execution."""

    def nodes_and_instances(self) -> Rows:
        """The deployment, as it is now."""

    def graph(self, name: str) -> tuple[Task, ...] | None:
        """The tasks of the execution's graph of that name; None when there is none."""

    def taken(self, ids: Collection[str]) -> set[str]:
        """Which of these ids some instance of the tenant has."""


class Records:
    """The database. Everything raises ``Unavailable``."""

    def __init__(self, storage: Storage, execution_id: str) -> None:
        self._storage = storage
        self._execution_id = execution_id
        with storage.reading() as session:
            execution = session.scalars(select(Execution).where(Execution.id == execution_id)).one()
            deployment = session.get_one(Deployment, execution.deployment_pk)
            self._pk, self._deployment_pk = execution.pk, deployment.pk
            self._facts = _facts(execution, deployment)

    def facts(self) -> Facts:
        """The execution."""
        return self._facts

    def nodes_and_instances(self) -> Rows:
        """Three queries, however large the deployment is."""
        with self._storage.reading() as session:
            return _rows(session, self._deployment_pk)

    def graph(self, name: str) -> tuple[Task, ...] | None:
        """The tasks of a graph."""
        with self._storage.reading() as session:
            return store.find_graph(session, self._pk, name)

    def taken(self, ids: Collection[str]) -> set[str]:
        """Which of these ids some instance of the tenant has."""
        with self._storage.reading() as session:
            tenant = (
                select(Deployment.tenant_id).where(Deployment.pk == self._deployment_pk).scalar_subquery()
            )
            known = select(NodeInstance.id).where(NodeInstance.tenant_id == tenant, NodeInstance.id.in_(ids))
            return set(session.scalars(known))


def _facts(execution: Execution, deployment: Deployment) -> Facts:
    return Facts(
        execution.id,
        execution.workflow_id,
        execution.tenant_name,
        execution.created_by,
        execution.is_dry_run,
        execution.resume,
        execution.wait_after_fail,
        BlueprintFacts(deployment.blueprint_id),
        DeploymentFacts(
            deployment.id,
            deployment.inputs,
            deployment.outputs,
            deployment.capabilities,
            deployment.workflows,
            deployment.groups,
            deployment.scaling_groups,
        ),
    )


def _rows(session: Session, deployment_pk: int) -> Rows:
    of_deployment = Node.deployment_pk == deployment_pk
    nodes = select(*NODE_COLUMNS).where(of_deployment).order_by(Node.pk)
    instances = select(*INSTANCE_COLUMNS).join(NodeInstance.node).where(of_deployment)
    agents = (
        select(NodeInstance.id, Agent.name)
        .join(Agent, Agent.node_instance_pk == NodeInstance.pk)
        .join(Node, NodeInstance.node_pk == Node.pk)
        .where(of_deployment)
    )
    return Rows(
        session.execute(nodes).all(),
        session.execute(instances.order_by(Node.pk, NodeInstance.index, NodeInstance.pk)).all(),
        {row.id: row.name for row in session.execute(agents)},
    )
