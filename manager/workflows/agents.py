"""Workflows about the agents of a deployment: installing them anew, and looking whether they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from manager.workflows.building import Graph
from manager.workflows.context import WorkflowContext
from manager.workflows.decorators import workflow
from manager.workflows.steps import AGENT
from manager.workflows.topology import NO_AGENT, WorkflowNodeInstance

Names = Sequence[str] | None

INSTALLING = ("create", "configure", "restart")
VALIDATING = ("validate",)
STARTED = "started"


@workflow(resumable=True)
def install_new_agents(ctx: WorkflowContext, **given: Any) -> Iterator[Graph]:
    """Bring the agent of this manager onto all machines that are up, or onto those that are named."""
    yield _on_machines(ctx, "install_new_agents", INSTALLING, given)


@workflow(resumable=True)
def validate_agents(ctx: WorkflowContext, **given: Any) -> Iterator[Graph]:
    """Look whether the agents on those machines answer; it fails when one of them does not."""
    yield _on_machines(ctx, "validate_agents", VALIDATING, given)


def _on_machines(ctx: WorkflowContext, name: str, operations: Sequence[str], given: dict[str, Any]) -> Graph:
    graph = ctx.graph(name)
    if graph.restored:
        return graph
    for instance in ctx.node_instances:
        if _is_meant(instance, **given):
            tasks = [instance.execute_operation(f"{AGENT}.{operation}") for operation in operations]
            graph.subgraph(instance.id).sequence().add(*tasks)
    return graph


def _is_meant(
    instance: WorkflowNodeInstance,
    node_ids: Names = None,
    node_instance_ids: Names = None,
    install_methods: Names = None,
    **_: Any,
) -> bool:
    """Whether it is a machine that is up, has an agent, and fits all that is given."""
    method = instance.node.install_method
    return (
        instance.is_host
        and instance.state == STARTED
        and method != NO_AGENT
        and (not node_ids or instance.node_id in node_ids)
        and (not node_instance_ids or instance.id in node_instance_ids)
        and (not install_methods or method in install_methods)
    )
