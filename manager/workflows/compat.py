"""Lets a workflow of a blueprint import what it knows from Cloudify, and get what is ours.

To be called in the process of the workflow, before its module is imported.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from cloudify.workflows import ctx as current
from cloudify.workflows import tasks_graph

from manager.workflows import lifecycle
from manager.workflows.blocking import BlockingGraph
from manager.workflows.building import forkjoin
from manager.workflows.topology import WorkflowNodeInstance

Instances = Iterable[WorkflowNodeInstance]


def provide() -> None:
    """Put ours in place of ``cloudify.plugins.lifecycle`` and of what makes graphs."""
    tasks_graph.forkjoin = forkjoin
    tasks_graph.make_or_get_graph = make_or_get_graph
    module = ModuleType("cloudify.plugins.lifecycle")
    vars(module).update({function.__name__: function for function in LIFECYCLE})
    sys.modules[module.__name__] = module


def make_or_get_graph(function: Callable[..., BlockingGraph]) -> Callable[..., BlockingGraph]:
    """A function that fills a graph, called with a ``name``: by that the graph is found again on a resume."""

    @functools.wraps(function)
    def named(*args: Any, name: str, **kwargs: Any) -> BlockingGraph:
        graph = function(*args, **kwargs)
        graph.store(name)
        return graph

    return named


def install_node_instances(
    graph: BlockingGraph, node_instances: Instances, related_nodes: Instances = (), name_prefix: str = ""
) -> None:
    """Bring instances up."""
    lifecycle.build_install(graph, _ordered(node_instances), _ordered(related_nodes))
    _execute(graph, f"{name_prefix}install")


def uninstall_node_instances(
    graph: BlockingGraph,
    node_instances: Instances,
    ignore_failure: bool,  # noqa: FBT001  # as users call it
    related_nodes: Instances = (),
    name_prefix: str = "",
) -> None:
    """Take instances down."""
    instances, related = _ordered(node_instances), _ordered(related_nodes)
    lifecycle.build_uninstall(graph, instances, related, ignore_failure=ignore_failure)
    _execute(graph, f"{name_prefix}uninstall")


def reinstall_node_instances(
    graph: BlockingGraph,
    node_instances: Instances,
    ignore_failure: bool,  # noqa: FBT001  # as users call it
    related_nodes: Instances = (),
) -> None:
    """Take instances down and bring them up again."""
    ids = [[instance.id for instance in _ordered(some)] for some in (node_instances, related_nodes)]
    uninstall_node_instances(graph, node_instances, ignore_failure, related_nodes, "reinstall-")
    current.refresh_node_instances()
    again, related = ([current.get_node_instance(name) for name in some] for some in ids)
    install_node_instances(graph, again, related, "reinstall-")


LIFECYCLE = (
    install_node_instances,
    uninstall_node_instances,
    reinstall_node_instances,
    lifecycle.is_host_node,
)


def _ordered(instances: Instances | None) -> list[WorkflowNodeInstance]:
    """Users give sets. Their order is to be the same whenever the workflow is run."""
    wanted = set(instances or ())
    return [instance for instance in current.node_instances if instance in wanted]


def _execute(graph: BlockingGraph, name: str) -> None:
    graph.store(name)
    graph.execute()
