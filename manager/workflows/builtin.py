"""The workflows that every deployment has, by the mappings of the usual types.

Each is a generator that the engine runs: it builds a graph and yields it, and is gone on with when the graph
has been carried out. A graph that failed is thrown into it as ``GraphFailed``. On a resume it runs from its
beginning, and finds its graphs as they were stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from manager.workflows import lifecycle
from manager.workflows.agents import install_new_agents, validate_agents
from manager.workflows.building import Graph, Subgraph
from manager.workflows.context import WorkflowContext
from manager.workflows.decorators import workflow
from manager.workflows.mappings import UnknownWorkflow, mapping_of
from manager.workflows.scaling import scale, scale_node
from manager.workflows.steps import LIFECYCLE
from manager.workflows.topology import WorkflowNodeInstance

Json = dict[str, Any]
Names = Sequence[str] | None
Workflow = Callable[..., Iterator[Graph]]


@workflow(resumable=True)
def install(
    ctx: WorkflowContext,
    *,
    node_ids: Names = None,
    node_instance_ids: Names = None,
    type_names: Names = None,
    **_: Any,
) -> Iterator[Graph]:
    """Bring up all instances, or those that are named."""
    chosen = _chosen(ctx, node_ids, node_instance_ids, type_names)
    yield lifecycle.install(ctx, "install", chosen, _others(ctx, chosen))


@workflow(resumable=True)
def uninstall(
    ctx: WorkflowContext,
    *,
    ignore_failure: bool = False,
    node_ids: Names = None,
    node_instance_ids: Names = None,
    type_names: Names = None,
    **_: Any,
) -> Iterator[Graph]:
    """Take down all instances, or those that are named."""
    chosen = _chosen(ctx, node_ids, node_instance_ids, type_names)
    others = _others(ctx, chosen)
    yield lifecycle.uninstall(ctx, "uninstall", chosen, others, ignore_failure=ignore_failure)


@workflow(resumable=True)
def execute_operation(
    ctx: WorkflowContext,
    *,
    operation: str,
    operation_kwargs: Json | None = None,
    allow_kwargs_override: bool | None = None,
    run_by_dependency_order: bool = False,
    type_names: Names = None,
    node_ids: Names = None,
    node_instance_ids: Names = None,
    **_: Any,
) -> Iterator[Graph]:
    """Run one operation on all instances that have it, or on those of them that are named."""
    graph = ctx.graph(f"execute_operation_{operation}")
    if not graph.restored:
        kwargs, override = operation_kwargs or {}, bool(allow_kwargs_override)
        subgraphs = {
            instance: _run_operation(graph, instance, operation, kwargs, override=override)
            for instance in _chosen(ctx, node_ids, node_instance_ids, type_names)
        }
        if run_by_dependency_order:
            _order(graph, ctx, subgraphs)
    yield graph


def _run_operation(
    graph: Graph, instance: WorkflowNodeInstance, operation: str, kwargs: Json, *, override: bool
) -> Subgraph:
    subgraph = graph.subgraph(instance.id)
    if instance.node.has_operation(operation):
        told = f" (Operation parameters: {kwargs})" if kwargs else ""
        subgraph.sequence().add(
            instance.send_event(f"Starting operation {operation}{told}"),
            instance.execute_operation(operation, kwargs, allow_kwargs_override=override),
            instance.send_event(f"Finished operation {operation}"),
        )
    return subgraph


def _order(graph: Graph, ctx: WorkflowContext, chosen: Mapping[WorkflowNodeInstance, Subgraph]) -> None:
    """Let each wait for those that it depends on, directly or by way of instances that were not chosen."""
    stubs = {instance: graph.subgraph(instance.id) for instance in _others(ctx, chosen)}
    subgraphs = {**chosen, **stubs}
    for instance, subgraph in subgraphs.items():
        for relationship in instance.relationships:
            graph.add_dependency(subgraph, subgraphs[relationship.target_node_instance])


@workflow(resumable=True)
def start(ctx: WorkflowContext, *, operation_parms: Json | None = None, **more: Any) -> Iterator[Graph]:
    """Run the operation start."""
    return _lifecycle_operation(ctx, "start", operation_parms, more)


@workflow(resumable=True)
def stop(ctx: WorkflowContext, *, operation_parms: Json | None = None, **more: Any) -> Iterator[Graph]:
    """Run the operation stop."""
    return _lifecycle_operation(ctx, "stop", operation_parms, more)


@workflow(resumable=True)
def restart(
    ctx: WorkflowContext, *, stop_parms: Json | None = None, start_parms: Json | None = None, **more: Any
) -> Iterator[Graph]:
    """Run the operations stop and start."""
    yield from _lifecycle_operation(ctx, "stop", stop_parms, more)
    yield from _lifecycle_operation(ctx, "start", start_parms, more)


def _lifecycle_operation(ctx: WorkflowContext, name: str, kwargs: Json | None, more: Json) -> Iterator[Graph]:
    asked = {"operation": f"{LIFECYCLE}.{name}", "operation_kwargs": kwargs, "allow_kwargs_override": True}
    found: Iterator[Graph] = execute_operation(ctx, **{**more, **asked})
    return found


@workflow
def heal(
    ctx: WorkflowContext,
    *,
    node_instance_id: str,
    diagnose_value: str = "Not provided",
    ignore_failure: bool = True,
    **_: Any,
) -> Iterator[Graph]:
    """Take down and bring up again the machine of the instance that failed, with all that is on it."""
    ctx.logger.info("Starting 'heal' workflow on %s, Diagnosis: %s", node_instance_id, diagnose_value)
    failing = ctx.get_node_instance(node_instance_id)
    if failing is None:
        raise ValueError(f"No node instance with id `{node_instance_id}` was found")
    broken = (failing.host or failing).get_contained_subgraph()
    chosen, others = _split(ctx, broken)
    yield lifecycle.uninstall(ctx, "reinstall-uninstall", chosen, others, ignore_failure=ignore_failure)
    ctx.refresh_node_instances()
    chosen, others = _split(ctx, broken)
    yield lifecycle.install(ctx, "reinstall-install", chosen, others)


def _split(
    ctx: WorkflowContext, wanted: set[WorkflowNodeInstance]
) -> tuple[list[WorkflowNodeInstance], list[WorkflowNodeInstance]]:
    chosen = [instance for instance in ctx.node_instances if instance in wanted]
    return chosen, _others(ctx, chosen)


def _chosen(
    ctx: WorkflowContext, node_ids: Names, node_instance_ids: Names, type_names: Names
) -> list[WorkflowNodeInstance]:
    """Those instances that fit all that is given; what is empty is fitted by all."""
    return [
        instance
        for instance in ctx.node_instances
        if (not node_ids or instance.node_id in node_ids)
        and (not node_instance_ids or instance.id in node_instance_ids)
        and (not type_names or not set(type_names).isdisjoint(instance.node.type_hierarchy))
    ]


def _others(ctx: WorkflowContext, chosen: Iterable[WorkflowNodeInstance]) -> list[WorkflowNodeInstance]:
    left_out = set(chosen)
    return [instance for instance in ctx.node_instances if instance not in left_out]


WORKFLOWS: Mapping[str, Workflow] = {
    "cloudify.plugins.workflows.install": install,
    "cloudify.plugins.workflows.uninstall": uninstall,
    "cloudify.plugins.workflows.execute_operation": execute_operation,
    "cloudify.plugins.workflows.start": start,
    "cloudify.plugins.workflows.stop": stop,
    "cloudify.plugins.workflows.restart": restart,
    "cloudify.plugins.workflows.auto_heal_reinstall_node_subgraph": heal,
    "cloudify.plugins.workflows.scale_entity": scale,
    "cloudify.plugins.workflows.install_new_agents": install_new_agents,
    "cloudify.plugins.workflows.validate_agents": validate_agents,
    # As types.yaml of older versions call it.
    "cloudify.plugins.workflows.scale": scale_node,
}
"""By the operation that a plan names for the plugin ``default_workflows``."""


def find(plan: Json) -> Workflow:
    """The workflow that a plan means, if it is not of the blueprint's own. Raises ``UnknownWorkflow``."""
    found = WORKFLOWS.get(plan["operation"])
    if found is None:
        raise UnknownWorkflow(
            f"The workflow's mapping {mapping_of(plan)} leads nowhere: there are "
            f"{', '.join(name.rpartition('.')[2] for name in WORKFLOWS)}."
        )
    return found
