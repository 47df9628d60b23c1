"""From a plan to rows: a deployment, its nodes, and their instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from manager.dsl import DeploymentPlan
from manager.models import Deployment, Node, NodeInstance

Json = dict[str, Any]


PARTS = (
    *("description", "inputs", "outputs", "capabilities", "workflows"),
    *("groups", "scaling_groups", "policy_types", "policy_triggers"),
)
"""What a deployment has of its plan as it is."""


def add(session: Session, deployment: Deployment, plan: DeploymentPlan) -> None:
    """Add ``deployment``, which has its names and owners already, with all that ``plan`` says.

    Raises ``IntegrityError`` when an id, of the deployment or of an instance, is taken.
    """
    for part in PARTS:
        setattr(deployment, part, getattr(plan, part))
    deployment.labels = list(_labels(plan.labels))
    session.add(deployment)
    session.flush()
    nodes = {node["id"]: _node(deployment, node) for node in plan.nodes}
    session.add_all(nodes.values())
    session.flush()
    session.add_all(_instances(deployment, nodes, plan.node_instances))
    session.flush()


def _labels(labels: Json) -> Iterator[Json]:
    for key, label in labels.items():
        for value in label["values"]:
            yield {"key": key, "value": value}


def _node(deployment: Deployment, plan: Json) -> Node:
    scalable = plan["capabilities"]["scalable"]["properties"]
    return Node(
        id=plan["id"],
        deployment_pk=deployment.pk,
        type=plan["type"],
        type_hierarchy=plan["type_hierarchy"],
        properties=plan["properties"],
        operations=plan["operations"],
        relationships=plan["relationships"],
        plugins=plan.get("plugins", []),
        plugins_to_install=plan.get("plugins_to_install", []),
        host_id=plan.get("host_id"),
        number_of_instances=scalable["current_instances"],
        planned_number_of_instances=scalable["planned_instances"],
        deploy_number_of_instances=scalable["default_instances"],
        min_number_of_instances=scalable["min_instances"],
        max_number_of_instances=scalable["max_instances"],
    )


def _instances(
    deployment: Deployment, nodes: Mapping[str, Node], plans: list[Json]
) -> Iterator[NodeInstance]:
    seen: Counter[str] = Counter()
    for plan in plans:
        seen[plan["node_id"]] += 1
        yield NodeInstance(
            id=plan["id"],
            tenant_id=deployment.tenant_id,
            node_pk=nodes[plan["node_id"]].pk,
            index=seen[plan["node_id"]],
            runtime_properties={},
            system_properties={},
            relationships=plan.get("relationships", []),
            scaling_groups=plan.get("scaling_groups", []),
            host_id=plan.get("host_id"),
        )
