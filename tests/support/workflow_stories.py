"""Deployments without a database for workflow functions, and their graphs as stories."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from manager import dsl
from manager.events import Line
from manager.workflows.building import Graph
from manager.workflows.context import WorkflowContext
from manager.workflows.model import GraphFailed, Task, TaskType
from manager.workflows.reading import BlueprintFacts, DeploymentFacts, Facts, Rows

HEAD = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
plugins:
  p: {executor: central_deployment_agent, source: p, install: false}
  h: {executor: host_agent, source: h, install: false}
"""


@dataclass
class Paper:
    """A deployment on paper: what ``reading.Source`` promises, and what a test may change."""

    plan: dsl.DeploymentPlan
    dry_run: bool = False
    resume: bool = False
    states: dict[str, str] = field(default_factory=dict)
    runtime_properties: dict[str, dict[str, Any]] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    graphs: dict[str, tuple[Task, ...]] = field(default_factory=dict)
    said: list[Line] = field(default_factory=list)

    def facts(self) -> Facts:
        deployment = DeploymentFacts(
            *("shop", self.plan.inputs, self.plan.outputs, self.plan.capabilities),
            *(self.plan.workflows, self.plan.groups, self.plan.scaling_groups),
        )
        blueprint = BlueprintFacts("the-blueprint")
        return Facts(
            "e1", "a_workflow", "default_tenant", "admin", self.dry_run, self.resume, 0, blueprint, deployment
        )

    def nodes_and_instances(self) -> Rows:
        nodes = [_node(number, row) for number, row in enumerate(self.plan.nodes)]
        keys = {node.id: node.pk for node in nodes}
        return Rows(nodes, [self._instance(keys, row) for row in self.plan.node_instances], self.agents)

    def _instance(self, keys: Mapping[str, int], row: dict[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(
            id=row["id"],
            node_pk=keys[row["node_id"]],
            index=int(row["id"].rpartition("_")[2]),
            state=self.states.get(row["id"], "uninitialized"),
            version=1,
            runtime_properties=self.runtime_properties.get(row["id"], {}),
            system_properties={},
            relationships=row.get("relationships", []),
            scaling_groups=row.get("scaling_groups", []),
            host_id=row.get("host_id"),
        )

    def graph(self, name: str) -> tuple[Task, ...] | None:
        return self.graphs.get(name)

    def taken(self, ids: Collection[str]) -> set[str]:
        return set()

    def context(self) -> WorkflowContext:
        """A context of it, as it is now."""
        return WorkflowContext(self, self.said.append)


def _node(number: int, row: dict[str, Any]) -> SimpleNamespace:
    limits = row["capabilities"]["scalable"]["properties"]
    return SimpleNamespace(
        **{name: row[name] for name in ("id", "type", "type_hierarchy", "properties", "operations")},
        **{name: row.get(name) or [] for name in ("relationships", "plugins", "plugins_to_install")},
        pk=number,
        host_id=row.get("host_id"),
        number_of_instances=limits["current_instances"],
        planned_number_of_instances=limits["planned_instances"],
        deploy_number_of_instances=limits["default_instances"],
        min_number_of_instances=limits["min_instances"],
        max_number_of_instances=limits["max_instances"],
    )


def planned(folder: Path, text: str) -> dsl.DeploymentPlan:
    """The plan of a blueprint; its instances are called ``node_1``, ``node_2`` and so on."""
    (folder / "blueprint.yaml").write_text(HEAD + text)
    plan = dsl.prepare(dsl.parse(folder, "blueprint.yaml"), {})
    order = {row["id"]: number for number, row in enumerate(plan.nodes)}
    plan.node_instances.sort(key=lambda row: order[row["node_id"]])
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for row in plan.node_instances:
        seen[row["node_id"]] += 1
        names[row["id"]] = f"{row['node_id']}_{seen[row['node_id']]}"
    for row in plan.node_instances:
        row["id"] = names[row["id"]]
        row["host_id"] = names.get(row.get("host_id", ""))
        for relationship in row["relationships"]:
            relationship["target_id"] = names[relationship["target_id"]]
        # Among instances of one node the parser's order is chance.
        targets = list(dict.fromkeys(item["target_name"] for item in row["relationships"]))
        row["relationships"].sort(key=lambda item: (targets.index(item["target_name"]), item["target_id"]))
    return plan


def told(paper: Paper, workflow: Iterator[Graph], fail: str | None = None) -> dict[str, str]:
    """The stories of a workflow's graphs, by name; that whose name is ``fail`` fails, the others are done."""
    stories: dict[str, str] = {}
    graph = next(workflow, None)
    while graph is not None:
        tasks = graph.stored if graph.stored is not None else graph.planned()
        stories[graph.name] = story(tasks)
        failed = graph.name == fail
        for task in tasks:
            if task.type is TaskType.SET_STATE and not failed:
                paper.states[task.parameters["node_instance_id"]] = task.parameters["state"]
        try:
            graph = workflow.throw(GraphFailed(f"{fail} failed")) if failed else next(workflow, None)
        except StopIteration:
            return stories
    return stories


def story(tasks: Iterable[Task]) -> str:
    """What a graph does: a line after the other as they are done, those on one line beside each other.

    What is in a subgraph stands below its name. Subgraphs say what they wait for; other tasks wait for the
    line above, or say so.
    """
    return "\n".join(_Lines(list(tasks)).of(None, "")) + "\n"


class _Lines:
    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.children: dict[str | None, list[Task]] = {}
        for task in tasks:
            self.children.setdefault(task.parameters.get("containing_subgraph"), []).append(task)

    def of(self, parent: str | None, indent: str) -> Iterator[str]:
        above: frozenset[str] = frozenset()
        for together in self._ordered(self.children.get(parent, [])):
            groups = [[task] for task in together if task.id in self.children]
            simple = [task for task in together if task.id not in self.children]
            for group in [*([simple] if simple else []), *groups]:
                line = " | ".join(map(self.words, group))
                yield f"{indent}{line}{self._waiting(group, above)}"
                yield from self.of(group[0].id, indent + "    ")
            above = frozenset(task.id for task in together)

    def _waiting(self, group: list[Task], above: frozenset[str]) -> str:
        told = group[0].type is TaskType.SUBGRAPH and not group[0].parameters.get("containing_subgraph")
        awaited = {name for task in group for name in task.dependencies if told or task.dependencies != above}
        if not awaited:
            return ""
        order = list(self.tasks)
        words = [self.words(self.tasks[name]).rstrip(":") for name in sorted(awaited, key=order.index)]
        return f"  (after {', '.join(words)})"

    def _ordered(self, tasks: list[Task]) -> list[list[Task]]:
        inside = {task.id for task in tasks}
        sorter = TopologicalSorter({task.id: task.dependencies & inside for task in tasks})
        sorter.prepare()
        layers, place = [], {task.id: number for number, task in enumerate(tasks)}
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=place.__getitem__)
            layers.append([self.tasks[name] for name in ready])
            sorter.done(*ready)
        return layers

    def words(self, task: Task) -> str:
        """One task in words."""
        return WORDS[task.type](task)


def _remote(task: Task) -> str:
    told = task.parameters
    context = told["context"]
    operation = context["operation"]["name"].removeprefix("cloudify.interfaces.")
    related = context.get("related")
    of = f"{context['node_id']}" + (f" with {related['node_id']}" if related else "")
    where = f" on {told['agent']}" if told["agent"] else ""
    marks = "".join(f", {mark}" for mark in ("until_true", "ignore_failure") if told.get(mark))
    return f"run {operation} of {of}{where}: {task.name}{_arguments(told['kwargs'])}{marks}"


def _arguments(kwargs: dict[str, Any]) -> str:
    return f"({', '.join(f'{name}={value!r}' for name, value in kwargs.items())})"


WORDS = {
    TaskType.REMOTE: _remote,
    TaskType.SET_STATE: lambda task: f"{task.parameters['node_instance_id']} is {task.parameters['state']}",
    TaskType.NODE_EVENT: lambda task: (
        f"say of {task.parameters['node_instance_id']}: {task.parameters['event']}"
    ),
    TaskType.WORKFLOW_EVENT: lambda task: f"say: {task.parameters['event']}",
    TaskType.NOP: lambda _: "nothing",
    TaskType.SUBGRAPH: lambda task: f"{task.name}:",
    TaskType.UPDATE_INSTANCES: lambda task: f"change instances: {re.sub(' +', ' ', str(task.parameters))}",
}
