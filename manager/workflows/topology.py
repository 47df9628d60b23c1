"""The nodes of a deployment and their instances, as workflow functions see them.

Everything is read at once, and stays as it was until ``refresh_node_instances``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from manager.workflows import calling
from manager.workflows.model import TaskType
from manager.workflows.reading import Row, Rows

if TYPE_CHECKING:
    from manager.workflows.context import WorkflowContext

Json = dict[str, Any]

CONTAINED_IN = "cloudify.relationships.contained_in"
COMPUTE = "cloudify.nodes.Compute"
NO_AGENT = "none"


class WorkflowRelationship:
    """A relationship of a node to another."""

    def __init__(self, topology: Topology, row: Json) -> None:
        self._topology = topology
        self.type: str = row["type"]
        self.target_id: str = row["target_id"]
        self.type_hierarchy: list[str] = row["type_hierarchy"]
        self.properties: Json = row.get("properties", {})
        self.source_operations: Json = row.get("source_operations", {})
        self.target_operations: Json = row.get("target_operations", {})

    @property
    def target_node(self) -> WorkflowNode:
        """The node at its other end."""
        return self._topology.nodes[self.target_id]

    def is_derived_from(self, other_relationship: str) -> bool:
        """Whether it is of that type, or of one derived from it."""
        return other_relationship in self.type_hierarchy


class WorkflowNode:
    """A node of the blueprint."""

    def __init__(self, ctx: WorkflowContext, topology: Topology, row: Row) -> None:
        self.ctx = ctx
        self._topology = topology
        self._instances: dict[str, WorkflowNodeInstance] = {}
        self._relationships = [WorkflowRelationship(topology, item) for item in row.relationships]
        self.id: str = row.id
        self.type: str = row.type
        self.type_hierarchy: list[str] = row.type_hierarchy
        self.properties: Json = row.properties
        self.operations: Json = row.operations
        self.plugins: list[Json] = row.plugins
        self.plugins_to_install: list[Json] = row.plugins_to_install
        self.host_id: str | None = row.host_id
        self.number_of_instances: int = row.number_of_instances
        self.planned_number_of_instances: int = row.planned_number_of_instances
        self.deploy_number_of_instances: int = row.deploy_number_of_instances
        self.min_number_of_instances: int = row.min_number_of_instances
        self.max_number_of_instances: int = row.max_number_of_instances

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    @property
    def relationships(self) -> Iterator[WorkflowRelationship]:
        """Those that it has to others, in the blueprint's order."""
        return iter(self._relationships)

    @property
    def instances(self) -> Iterator[WorkflowNodeInstance]:
        """Its instances."""
        return iter(self._instances.values())

    def add_instance(self, instance: WorkflowNodeInstance) -> None:
        """Make one known to its node."""
        self._instances[instance.id] = instance

    @property
    def host_node(self) -> WorkflowNode | None:
        """The machine that it is on."""
        return self._topology.nodes.get(self.host_id or "")

    def has_operation(self, operation: str) -> bool:
        """Whether something is done for that operation."""
        return bool(self.operations.get(operation, {}).get("operation"))

    def get_relationship(self, target_id: str, kind: str | None = None) -> WorkflowRelationship | None:
        """The relationship to another node, of the type ``kind`` if there are several."""
        found = [item for item in self._relationships if item.target_id == target_id]
        return next((item for item in found if item.type == kind), found[-1] if found else None)

    @property
    def install_method(self) -> str:
        """How the agent comes onto this machine; ``none`` when none does."""
        wanted = self.properties.get("install_agent")
        if isinstance(wanted, bool):
            return "remote" if wanted else NO_AGENT
        return str((self.properties.get("agent_config") or {}).get("install_method") or NO_AGENT)


class WorkflowRelationshipInstance:
    """A relationship of an instance to another."""

    def __init__(
        self, instance: WorkflowNodeInstance, relationship: WorkflowRelationship, target: WorkflowNodeInstance
    ) -> None:
        self.ctx = instance.ctx
        self.node_instance = instance
        self.relationship = relationship
        self.target_node_instance = target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.source_id} -> {self.target_id} ({self.type})>"

    @property
    def type(self) -> str:
        """Its type."""
        return self.relationship.type

    @property
    def source_id(self) -> str:
        """The id of the instance that has it."""
        return self.node_instance.id

    @property
    def target_id(self) -> str:
        """The id of the other instance."""
        return self.target_node_instance.id

    def execute_source_operation(self, operation: str, kwargs: Json | None = None, **options: Any) -> Any:
        """An operation of the relationship, for the instance that has it; as ``execute_operation``."""
        call = calling.Call(operation, self.relationship.source_operations, kwargs or {}, **options)
        related = calling.Related(self.target_node_instance, is_target=True)
        return self.ctx.process(calling.task(call, self.node_instance, related))

    def execute_target_operation(self, operation: str, kwargs: Json | None = None, **options: Any) -> Any:
        """An operation of the relationship, for the other instance; as ``execute_operation``."""
        call = calling.Call(operation, self.relationship.target_operations, kwargs or {}, **options)
        related = calling.Related(self.node_instance, is_target=False)
        return self.ctx.process(calling.task(call, self.target_node_instance, related))


class WorkflowNodeInstance:
    """An instance of a node. Two are equal when they have one id, whenever they were read."""

    def __init__(self, node: WorkflowNode, row: Row, agent_name: str | None) -> None:
        self.ctx = node.ctx
        self.node = node
        self.id: str = row.id
        self.index: int = row.index
        self.state: str = row.state
        self.version: int = row.version
        self.host_id: str | None = row.host_id
        self.scaling_groups: list[Json] = row.scaling_groups
        self.runtime_properties: Json = row.runtime_properties
        self.system_properties: Json = row.system_properties
        self._agent_name = agent_name
        self.stored_relationships: list[Json] = row.relationships
        self._relationships: list[WorkflowRelationshipInstance] = []
        self._contained: list[WorkflowNodeInstance] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkflowNodeInstance) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} ({self.state})>"

    @property
    def node_id(self) -> str:
        """The id of its node."""
        return self.node.id

    @property
    def relationships(self) -> Iterator[WorkflowRelationshipInstance]:
        """Those that it has to other instances, in the blueprint's order."""
        return iter(self._relationships)

    @property
    def contained_instances(self) -> list[WorkflowNodeInstance]:
        """Those that are directly contained in it."""
        return list(self._contained)

    def get_contained_subgraph(self) -> set[WorkflowNodeInstance]:
        """This instance, and all that are contained in it, at whatever depth."""
        return {self}.union(*(child.get_contained_subgraph() for child in self._contained))

    def connect(self, instances: Mapping[str, WorkflowNodeInstance]) -> None:
        """Find the instances that it has relationships to."""
        for row in self.stored_relationships:
            relationship = self.node.get_relationship(row["target_name"], row["type"])
            target = instances.get(row["target_id"])
            if relationship is None or target is None:
                continue
            self._relationships.append(WorkflowRelationshipInstance(self, relationship, target))
            if relationship.is_derived_from(CONTAINED_IN):
                target._contained.append(self)  # noqa: SLF001  # another of its own kind

    @property
    def logger(self) -> logging.Logger:
        """For what is about this instance."""
        return self.ctx.make_logger(node_name=self.node_id, node_instance_id=self.id)

    @property
    def host(self) -> WorkflowNodeInstance | None:
        """The machine that it is on."""
        return self.ctx.get_node_instance(self.host_id or "")

    @property
    def is_host(self) -> bool:
        """Whether it is a machine."""
        return COMPUTE in self.node.type_hierarchy

    @property
    def agent_name(self) -> str | None:
        """The agent on this machine, or the one that will be installed there; None when none is."""
        known = self._agent_name or self.runtime_properties.get("cloudify_agent", {}).get("name")
        if known or self.node.install_method == NO_AGENT:
            return known
        return self.id

    def execute_operation(self, operation: str, kwargs: Json | None = None, **options: Any) -> Any:
        """A task that runs an operation; one that does nothing when nothing is implemented.

        ``kwargs`` are added to the inputs that the blueprint gives, and replace them only with
        ``allow_kwargs_override=True``; else a name that is in both raises ``ValueError``.
        """
        call = calling.Call(operation, self.node.operations, kwargs or {}, **options)
        return self.ctx.process(calling.task(call, self))

    def set_state(self, state: str) -> Any:
        """A task that stores a new state of this instance."""
        kind = TaskType.NOP if self.ctx.dry_run else TaskType.SET_STATE
        return self.ctx.engine_task(kind, {"node_instance_id": self.id, "state": state})

    def send_event(self, event: str, additional_context: Json | None = None) -> Any:
        """A task that tells people what happens."""
        where = {"node_instance_id": self.id, "node_name": self.node_id}
        told = {"event": event, "additional_context": additional_context}
        return self.ctx.engine_task(TaskType.NODE_EVENT, {**where, **told})


class Topology:
    """The nodes and instances of one deployment, by id and in the order in which they were made."""

    def __init__(self, ctx: WorkflowContext, rows: Rows) -> None:
        nodes = {row.pk: WorkflowNode(ctx, self, row) for row in rows.nodes}
        self.nodes = {node.id: node for node in nodes.values()}
        self.instances: dict[str, WorkflowNodeInstance] = {}
        for row in rows.instances:
            instance = WorkflowNodeInstance(nodes[row.node_pk], row, rows.agents.get(row.id))
            self.instances[instance.id] = instance
            instance.node.add_instance(instance)
        for instance in self.instances.values():
            instance.connect(self.instances)
