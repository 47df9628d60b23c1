"""A deployment as its operations read it, straight from the database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudify_rest_client.nodes import Node

from manager.files import Unit
from manager.operations.fence import FilesOf

if TYPE_CHECKING:
    # An agent asks in another way, and has no driver of PostgreSQL.
    from manager.operations.database import Database

Json = dict[str, Any]

NODE = """
    SELECT id, type, type_hierarchy, properties, relationships, operations, plugins, host_id,
        number_of_instances, planned_number_of_instances, deploy_number_of_instances,
        min_number_of_instances, max_number_of_instances
    FROM nodes WHERE deployment_pk = %s AND id = %s
"""
NODE_KEYS = (
    *("id", "type", "type_hierarchy", "properties", "relationships", "operations", "plugins", "host_id"),
    *("number_of_instances", "planned_number_of_instances", "deploy_number_of_instances"),
    *("min_number_of_instances", "max_number_of_instances"),
)
INSTANCE_KEYS = (
    *("id", "node_id", "state", "runtime_properties", "system_properties", "relationships"),
    *("scaling_groups", "host_id", "version", "index"),
)
INSTANCES = """
    SELECT i.id, n.id, i.state, i.runtime_properties, i.system_properties, i.relationships,
        i.scaling_groups, i.host_id, i.version, i.index
    FROM node_instances i JOIN nodes n ON n.pk = i.node_pk
"""
INSTANCE = f"{INSTANCES} WHERE i.tenant_id = %s AND i.id = %s AND n.deployment_pk = %s"
INSTANCES_OF_NODE = f"{INSTANCES} WHERE n.deployment_pk = %s AND n.id = %s ORDER BY i.index, i.pk"
UPDATE = """
    UPDATE node_instances
    SET runtime_properties = %s::jsonb, version = version + 1, updated_at = clock_timestamp()
    WHERE tenant_id = %s AND id = %s AND version = %s
    RETURNING version
"""
DEPLOYMENT = """
    SELECT d.id, d.inputs, d.capabilities, t.name, b.id, bt.name, b.storage_id
    FROM deployments d JOIN tenants t ON t.id = d.tenant_id
    JOIN blueprints b ON b.pk = d.blueprint_pk JOIN tenants bt ON bt.id = b.tenant_id
    WHERE d.pk = %s
"""
OTHER_DEPLOYMENT = "SELECT pk FROM deployments WHERE tenant_id = %s AND id = %s"
PROVIDER_CONTEXT = "SELECT context FROM provider_context LIMIT 1"
EXECUTION = """
    SELECT id, workflow_id, status, parameters, deployment_id, error FROM executions WHERE pk = %s
"""
EXECUTION_KEYS = ("id", "workflow_id", "status", "parameters", "deployment_id", "error")


class NotThere(Exception):
    """The deployment has no such thing. The message says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment's row, and where its blueprint's files are."""

    id: str
    inputs: Json
    capabilities: Json
    tenant: str
    files: FilesOf


class Deployment:
    """One deployment. What is read is up to date; what cannot change is read once."""

    def __init__(self, database: Database, tenant_id: int, pk: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._pk = pk

    @cached_property
    def plan(self) -> Plan:
        """Its row. Raises ``NotThere`` when it has been deleted meanwhile."""
        rows = self._database.run(DEPLOYMENT, (self._pk,))
        if not rows:
            raise NotThere("The deployment of this operation is not there any more.")
        identifier, inputs, capabilities, tenant, blueprint, owner, storage_id = rows[0]
        return Plan(identifier, inputs, capabilities, tenant, FilesOf(owner, blueprint, storage_id))

    def node(self, name: str) -> Node:
        """A node. Raises ``NotThere``."""
        rows = self._database.run(NODE, (self._pk, name))
        if not rows:
            raise NotThere(f"The deployment has no node '{name}'.")
        # As clients know it, it has its id a second time.
        return Node({"name": name, **dict(zip(NODE_KEYS, rows[0], strict=True))})

    def instance(self, identifier: str) -> Json:
        """An instance. Raises ``NotThere``."""
        rows = self._database.run(INSTANCE, (self._tenant_id, identifier, self._pk))
        if not rows:
            raise NotThere(f"The deployment has no node instance '{identifier}'.")
        return dict(zip(INSTANCE_KEYS, rows[0], strict=True))

    def instances(self, node: str) -> list[Json]:
        """All instances of a node."""
        rows = self._database.run(INSTANCES_OF_NODE, (self._pk, node))
        return [dict(zip(INSTANCE_KEYS, row, strict=True)) for row in rows]

    def update(self, identifier: str, version: int, properties: str) -> bool:
        """Store runtime properties (JSON), if nobody has since ``version``; whether that was so."""
        return bool(self._database.run(UPDATE, (properties, self._tenant_id, identifier, version)))

    def other(self, identifier: str) -> Deployment:
        """Another deployment of the same tenant. Raises ``NotThere``."""
        rows = self._database.run(OTHER_DEPLOYMENT, (self._tenant_id, identifier))
        if not rows:
            raise NotThere(f"There is no deployment '{identifier}'.")
        return Deployment(self._database, self._tenant_id, rows[0][0])


def provider_context(database: Database) -> Json:
    """What was said of the environment when the manager was set up."""
    rows = database.run(PROVIDER_CONTEXT)
    return rows[0][0] if rows else {}


def execution(database: Database, pk: int) -> Json:
    """The execution, as clients know it."""
    (row,) = database.run(EXECUTION, (pk,))
    return dict(zip(EXECUTION_KEYS, row, strict=True))


def unit_of(files: FilesOf) -> Unit:
    """The folder of a blueprint's files."""
    return Unit("blueprints", files.tenant, files.blueprint_id, files.storage_id)
