"""How instances of nodes are brought up and taken down: the steps of one, and the order among many.

What is not implemented is left out, with its events and states.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from manager.workflows.building import Graph, Subgraph, WorkflowTask, forkjoin
from manager.workflows.context import WorkflowContext
from manager.workflows.steps import (
    CREATING,
    DELETE,
    DELETED,
    DOWN,
    ESTABLISH,
    INSTALL,
    STARTED,
    STOP,
    STOPPED,
    UNLINK,
    Step,
    Whose,
)
from manager.workflows.topology import NO_AGENT, WorkflowNodeInstance, WorkflowRelationshipInstance

Tasks = list[Any]
"""Tasks and forkjoins, in their order."""

Instances = Iterable[WorkflowNodeInstance]


def install(ctx: WorkflowContext, name: str, instances: Instances, related: Instances = ()) -> Graph:
    """A graph that brings ``instances`` up; ``related`` ones that are up establish what they have to them."""
    graph = ctx.graph(name)
    if not graph.restored:
        build_install(graph, instances, related)
    return graph


def uninstall(
    ctx: WorkflowContext, name: str, instances: Instances, related: Instances = (), *, ignore_failure: bool
) -> Graph:
    """A graph that takes ``instances`` down, each after those that depend on it."""
    graph = ctx.graph(name)
    if not graph.restored:
        build_uninstall(graph, instances, related, ignore_failure=ignore_failure)
    return graph


def build_install(graph: Graph, instances: Instances, related: Instances = ()) -> None:
    """Fill ``graph`` as ``install`` says."""
    subgraphs = {instance: _installed(graph, instance) for instance in instances}
    stubs = {instance: graph.subgraph(f"stub_{instance.id}") for instance in related}
    everything = {**subgraphs, **stubs}
    for instance, subgraph in everything.items():
        establishing = subgraph.sequence()
        for relationship in instance.relationships:
            target = relationship.target_node_instance
            if target not in everything:
                continue
            graph.add_dependency(subgraph, everything[target])
            if instance in stubs and target in subgraphs and instance.state not in DOWN:
                establishing.add(forkjoin(*_both(relationship, ESTABLISH)))


def build_uninstall(
    graph: Graph, instances: Instances, related: Instances = (), *, ignore_failure: bool
) -> None:
    """Fill ``graph`` as ``uninstall`` says."""
    subgraphs = {
        instance: _uninstalled(graph, instance, ignore_failure=ignore_failure) for instance in instances
    }
    stubs = {instance: graph.subgraph(f"stub_{instance.id}") for instance in related}
    everything = {**subgraphs, **stubs}
    for instance, subgraph in everything.items():
        unlinking = subgraph.sequence()
        for relationship in reversed(list(instance.relationships)):
            target = relationship.target_node_instance
            if target not in everything:
                continue
            graph.add_dependency(everything[target], subgraph)
            if instance in stubs and target in subgraphs and instance.state not in DOWN:
                tasks = _both(relationship, UNLINK)
                _ignore_failures(tasks)  # What stays may be unable to let go of what has failed already.
                unlinking.add(forkjoin(*tasks))


def _installed(graph: Graph, instance: WorkflowNodeInstance) -> Subgraph:
    subgraph = graph.subgraph(f"install_{instance.id}")
    tasks = _steps(INSTALL, instance, subgraph)
    if tasks and instance.state not in CREATING:
        tasks.insert(0, instance.set_state("initializing"))
    if instance.state not in STARTED:
        told = "Node instance started" if tasks else "Node instance started (nothing to do)"
        tasks.append(forkjoin(instance.set_state("started"), instance.send_event(told)))
    subgraph.sequence().add(*tasks)
    return subgraph


def _uninstalled(graph: Graph, instance: WorkflowNodeInstance, *, ignore_failure: bool) -> Subgraph:
    subgraph = graph.subgraph(f"uninstall_{instance.id}")
    if instance.state == "uninitialized":
        return subgraph
    sequence = subgraph.sequence()
    if instance.state not in STOPPED:
        stopping = forkjoin(instance.set_state("stopping"), instance.send_event("Stopping node instance"))
        sequence.add(stopping, *_steps(STOP, instance, subgraph), instance.set_state("stopped"))
    if instance.state not in DELETED:
        sequence.add(*_steps(DELETE, instance, subgraph))
        sequence.add(forkjoin(instance.set_state("deleted"), instance.send_event("Deleted node instance")))
    # Nothing of it is left, its runtime properties neither: it can be installed as if for the first time.
    sequence.add(instance.set_state("uninitialized"))
    if ignore_failure:
        _ignore_failures(subgraph.tasks.values())
    return subgraph


def _ignore_failures(tasks: Iterable[WorkflowTask]) -> None:
    for task in tasks:
        if isinstance(task, Subgraph):
            _ignore_failures(task.tasks.values())
        else:
            task.ignore_failure = True


def _steps(steps: Iterable[Step], instance: WorkflowNodeInstance, subgraph: Subgraph) -> Tasks:
    tasks: Tasks = []
    for step in steps:
        if instance.state not in step.done_in:
            tasks += _step(step, instance, subgraph)
    return tasks


def _step(step: Step, instance: WorkflowNodeInstance, subgraph: Subgraph) -> Tasks:
    task = MADE[step.whose](step, instance, subgraph)
    if task is None:
        return []
    if step.until_true:
        task.parameters["until_true"] = True
    around = ((step.before, step.entering), (step.after, step.leaving))
    before, after = (forkjoin(*_telling(instance, *what)) for what in around)
    return [before, task, after]


def _telling(instance: WorkflowNodeInstance, event: str | None, state: str | None) -> Iterator[WorkflowTask]:
    if state:
        yield instance.set_state(state)
    if event:
        yield instance.send_event(event)


def _own(step: Step, instance: WorkflowNodeInstance, _: Subgraph) -> WorkflowTask | None:
    if not instance.node.has_operation(step.operation):
        return None
    task: WorkflowTask = instance.execute_operation(step.operation)
    return task


def _of_host(step: Step, instance: WorkflowNodeInstance, subgraph: Subgraph) -> WorkflowTask | None:
    return _own(step, instance, subgraph) if instance.is_host else None


def _of_agent(step: Step, instance: WorkflowNodeInstance, subgraph: Subgraph) -> WorkflowTask | None:
    wanted = instance.node.install_method != NO_AGENT
    return _of_host(step, instance, subgraph) if wanted else None


def _of_relationships(step: Step, instance: WorkflowNodeInstance, subgraph: Subgraph) -> WorkflowTask | None:
    """Those to one node run beside each other, those to different nodes one after the other."""
    groups = []
    for _, group in itertools.groupby(instance.relationships, key=lambda item: item.relationship.target_id):
        tasks = [task for item in group for task in _both(item, step.operation)]
        if tasks:
            groups.append(forkjoin(*tasks))
    if not groups:
        return None
    if step.whose is Whose.RELATIONSHIPS_REVERSED:
        groups.reverse()
    inner = subgraph.subgraph(step.operation.rpartition(".")[2])
    inner.sequence().add(*groups)
    return inner


MADE: Mapping[Whose, Callable[[Step, WorkflowNodeInstance, Subgraph], WorkflowTask | None]] = {
    Whose.INSTANCE: _own,
    Whose.RELATIONSHIPS: _of_relationships,
    Whose.RELATIONSHIPS_REVERSED: _of_relationships,
    Whose.HOST: _of_host,
    Whose.AGENT: _of_agent,
}


def _both(relationship: WorkflowRelationshipInstance, operation: str) -> list[WorkflowTask]:
    """What is implemented of an operation, at either end."""
    definition = relationship.relationship
    ends = (
        (definition.source_operations, relationship.execute_source_operation),
        (definition.target_operations, relationship.execute_target_operation),
    )
    return [execute(operation) for known, execute in ends if (known.get(operation) or {}).get("operation")]


def is_host_node(instance: WorkflowNodeInstance) -> bool:
    """Whether it is a machine; for users, who know it by this name."""
    return instance.is_host
