"""How a deployment changes when there are to be more or fewer instances of a part of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from manager import dsl
from manager.workflows.context import WorkflowContext
from manager.workflows.topology import WorkflowNode, WorkflowNodeInstance

Json = dict[str, Any]

ADDED, REMOVED = "added", "removed"
UNLIMITED = -1
TRIES = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be scaled. ``include``: ids of what is removed first; ``exclude``: of what is to stay."""

    entity: str
    delta: int
    scale_compute: bool
    include: list[str]
    exclude: list[str]

    @classmethod
    def of(cls, entity: str, delta: Any, include: Any, exclude: Any, *, scale_compute: bool) -> Wish:
        """From parameters as users give them. Raises ``ValueError``."""
        try:
            number = int(delta)
        except (TypeError, ValueError) as error:
            raise ValueError(f"The delta parameter must be a number. Got: {delta}") from error
        wish = cls(entity, number, scale_compute, _listed(include), _listed(exclude))
        if wish.delta > 0 and (wish.include or wish.exclude):
            raise ValueError("Instances cannot be included or excluded when scaling up.")
        if wish.scale_compute and (wish.include or wish.exclude):
            raise ValueError(
                "Cannot include or exclude instances while scale_compute is True. Please specify the "
                "desired compute instances and set scale_compute to False."
            )
        return wish


def _listed(value: Any) -> list[str]:
    if not value:
        return []
    return list(value) if isinstance(value, list) else [value]


def found(ctx: WorkflowContext, ids: Collection[str]) -> list[WorkflowNodeInstance]:
    wanted = set(ids)
    return [instance for instance in ctx.node_instances if instance.id in wanted]


def compute(ctx: WorkflowContext, wish: Wish) -> Json:
    """What is to be written when it begins, when it has succeeded (``finish``), and when not (``undo``)."""
    group = ctx.deployment.scaling_groups.get(wish.entity)
    entity, limits = (wish.entity, group["properties"]) if group else _scaled_node(ctx, wish)
    _check_instances(ctx, wish, is_group=bool(group))
    current = limits["current_instances"]
    planned = _planned(wish, limits)
    modified = {
        "instances": planned,
        "removed_ids_include_hint": wish.include,
        "removed_ids_exclude_hint": wish.exclude,
    }
    modification = _modification(ctx, {entity: modified})
    counts = {"entity": entity, "is_group": bool(group)}
    parts = _growth(ctx, modification) if wish.delta > 0 else _shrinking(ctx, modification)
    return {
        **parts,
        "begin": {**parts["begin"], "counts": {**counts, "current": current, "planned": planned}},
        "finish": {**parts["finish"], "counts": {**counts, "current": planned, "planned": planned}},
        "undo": {**parts["undo"], "counts": {**counts, "current": current, "planned": current}},
    }


def _modification(ctx: WorkflowContext, modified: Json) -> Json:
    """What the parser says. Ids of new instances end in chance: those of other deployments are avoided."""
    nodes = [_node_row(node) for node in ctx.nodes]
    instances = [_instance_row(instance) for instance in ctx.node_instances]
    for _ in range(TRIES):
        modification = dsl.modify(
            nodes=nodes,
            node_instances=instances,
            scaling_groups=ctx.deployment.scaling_groups,
            modified_nodes=modified,
        )
        added = [row["id"] for row in modification["added_and_related"] if row.get("modification") == ADDED]
        if not ctx.taken(added):
            return modification
    raise RuntimeError("No ids were found for the new instances that other deployments do not have.")


def _scaled_node(ctx: WorkflowContext, wish: Wish) -> tuple[str, Json]:
    node = ctx.get_node(wish.entity)
    if node is None:
        raise ValueError(f"No scalable entity named {wish.entity} was found")
    scaled = (node.host_node or node) if wish.scale_compute else node
    return scaled.id, {
        "current_instances": scaled.number_of_instances,
        "min_instances": scaled.min_number_of_instances,
        "max_instances": scaled.max_number_of_instances,
    }


def _planned(wish: Wish, limits: Json) -> int:
    current: int = limits["current_instances"]
    planned = current + wish.delta
    if planned < 0:
        raise ValueError(
            f"Provided delta: {wish.delta} is illegal. current number of instances of entity "
            f"{wish.entity} is {current}"
        )
    lowest, highest = limits["min_instances"], limits["max_instances"]
    if planned < lowest or (highest != UNLIMITED and planned > highest):
        most = "any number" if highest == UNLIMITED else highest
        raise ValueError(
            f"{wish.entity} cannot have {planned} instances: there have to be {lowest} to {most} of them"
        )
    return planned


def _check_instances(ctx: WorkflowContext, wish: Wish, *, is_group: bool) -> None:
    """Raise ``ValueError`` when instances are named that there are not, or too many to be kept."""
    members = _members(ctx, wish.entity) if is_group else {}
    node = None if is_group else ctx.get_node(wish.entity)
    units = set(members) if is_group else {instance.id for instance in (node.instances if node else ())}
    known = units.union(*members.values())
    complaints = [
        f"The following {what} instances did not exist: {', '.join(missing)}."
        for what, ids in (("included", wish.include), ("excluded", wish.exclude))
        if (missing := [name for name in ids if name not in known])
    ]
    if both := [name for name in wish.include if name in wish.exclude]:
        complaints.append(f"The following instances were both excluded and included: {', '.join(both)}.")
    kept = {unit for unit in units if unit in wish.exclude or members.get(unit, set()) & set(wish.exclude)}
    if wish.exclude and len(units) + wish.delta < len(kept):
        complaints.append(
            f"Target number of instances is less than excluded instance count. Target number of instances "
            f"was {len(units) + wish.delta}. Excluded instances were: {', '.join(wish.exclude)}."
        )
    if complaints:
        raise ValueError(" ".join([*complaints, f"Available instances were: {', '.join(sorted(known))}"]))


def _members(ctx: WorkflowContext, group: str) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for instance in ctx.node_instances:
        for item in instance.scaling_groups:
            if item["name"] == group:
                members.setdefault(item["id"], set()).add(instance.id)
    return members


def _growth(ctx: WorkflowContext, modification: Json) -> Json:
    rows = modification["added_and_related"]
    added = [row for row in rows if row.get("modification") == ADDED]
    related = [row for row in rows if row.get("modification") != ADDED]
    changed = [instance for row in related if (instance := ctx.get_node_instance(row["id"]))]
    before = {instance.id: instance.stored_relationships for instance in changed}
    after = {row["id"]: _merged(ctx, row) for row in related if row["id"] in before and row["relationships"]}
    ids = [row["id"] for row in added]
    return {
        ADDED: ids,
        REMOVED: [],
        "related": list(before),
        "begin": {"add": added, "relationships": after},
        "finish": {},
        "undo": {"remove": ids, "relationships": {name: before[name] for name in after}},
    }


def _merged(ctx: WorkflowContext, row: Json) -> list[Json]:
    """The relationships that an instance has, and those that it gets, in the order of its node's."""
    instance = ctx.get_node_instance(row["id"])
    if instance is None:
        return []
    new = [item for item in row["relationships"] if item not in instance.stored_relationships]
    everything = [*instance.stored_relationships, *new]
    order = list(dict.fromkeys(relationship.target_id for relationship in instance.node.relationships))
    return sorted(everything, key=lambda item: order.index(item["target_name"]))


def _shrinking(ctx: WorkflowContext, modification: Json) -> Json:
    rows = modification["removed_and_related"]
    removed = [row["id"] for row in rows if row.get("modification") == REMOVED]
    gone = set(removed)
    related = [row["id"] for row in rows if row["id"] not in gone]
    left = {
        instance.id: [item for item in instance.stored_relationships if item["target_id"] not in gone]
        for instance in found(ctx, related)
    }
    return {
        ADDED: [],
        REMOVED: removed,
        "related": related,
        "begin": {},
        "finish": {"remove": removed, "relationships": left},
        "undo": {},
    }


def _node_row(node: WorkflowNode) -> Json:
    row = {
        "id": node.id,
        "relationships": [
            {
                "type": item.type,
                "type_hierarchy": item.type_hierarchy,
                "target_id": item.target_id,
                "properties": item.properties,
            }
            for item in node.relationships
        ],
        "number_of_instances": node.number_of_instances,
        "deploy_number_of_instances": node.deploy_number_of_instances,
        "min_number_of_instances": node.min_number_of_instances,
        "max_number_of_instances": node.max_number_of_instances,
    }
    return {**row, "host_id": node.host_id} if node.host_id else row


def _instance_row(instance: WorkflowNodeInstance) -> Json:
    row = {
        "id": instance.id,
        "node_id": instance.node_id,
        "name": instance.node_id,
        "relationships": instance.stored_relationships,
    }
    more = {"host_id": instance.host_id, "scaling_groups": instance.scaling_groups}
    return {**row, **{name: value for name, value in more.items() if value}}
