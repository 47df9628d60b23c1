"""Our own workflows on a real database: what instances there are, and in which states, when they are over.

Operations are answered by the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, select, update

from manager.models import Deployment, Node, NodeInstance
from manager.workflows import builtin
from manager.workflows.building import Graph
from manager.workflows.model import GraphFailed, Task
from tests.support.rest import manager_node
from tests.support.workflow_engine import Site, Works

pytestmark = pytest.mark.integration

SHOP = """
node_types:
  server:
    derived_from: cloudify.nodes.WebServer
    interfaces:
      cloudify.interfaces.lifecycle: {create: p.ops.create, start: p.ops.start, delete: p.ops.delete}
node_templates:
  house:
    type: cloudify.nodes.Compute
    instances: {deploy: %d}
    properties: {agent_config: {install_method: none}}
  till:
    type: server
    relationships:
      - {type: cloudify.relationships.contained_in, target: house}
      - {type: cloudify.relationships.connected_to, target: stock}
  stock: {type: cloudify.nodes.Root}
  sign:
    type: cloudify.nodes.Root
    relationships: [{type: cloudify.relationships.depends_on, target: till}]
groups:
  branch: {members: [house], policies: {}}
policies:
  scaling: {type: cloudify.policies.scaling, targets: [branch], properties: {default_instances: 1}}
"""


@pytest.fixture(scope="module")
def works() -> Iterator[Works]:
    with manager_node() as node:
        yield Works(node)


@pytest.fixture
def site(works: Works) -> Site:
    return works.site(SHOP % 2)


def fine(_: Task) -> None:
    return None


def broken(task: Task) -> Any:
    raise RuntimeError(f"{task.name} is broken")


def run(site: Site, workflow: Any, answers: Any = fine, **parameters: Any) -> list[str]:
    """The names of its graphs."""
    execution = site.execute("a_workflow", parameters=parameters)
    return site.works.run(execution, workflow(site.context(execution), **parameters), answers)


def nodes_of(site: Site) -> list[str]:
    return sorted(instance.node.id for instance in site.instances())


def states_of(site: Site) -> set[str]:
    return set(site.states().values())


def targets(site: Site, node: str) -> list[str]:
    """The nodes of the instances that instances of this node have relationships to."""
    names = {instance.id: instance.node.id for instance in site.instances()}
    rows = [row for item in site.instances() if item.node.id == node for row in item.relationships]
    return sorted(names[row["target_id"]] for row in rows)


def counted(site: Site) -> tuple[int, int]:
    with site.works.session() as session:
        deployment = session.scalars(select(Deployment).where(Deployment.id == site.deployment)).one()
        house = session.scalars(
            select(Node).where(Node.deployment_pk == deployment.pk, Node.id == "house")
        ).one()
        group = deployment.scaling_groups["branch"]["properties"]
        return house.number_of_instances, group["current_instances"]


def test_what_was_installed_is_started_and_what_was_uninstalled_is_as_if_it_never_was(works, site):
    run(site, builtin.install)
    assert states_of(site) == {"started"}
    with works.session() as session:
        (till, *_) = [item.id for item in site.instances() if item.node.id == "till"]
        noted = update(NodeInstance).where(NodeInstance.id == till)
        session.execute(noted.values(runtime_properties={"address": "here"}))
        session.commit()
    run(site, builtin.uninstall)
    assert states_of(site) == {"uninitialized"}
    assert all(instance.runtime_properties == {} for instance in site.instances())


def test_an_install_that_failed_stays_where_it_was_and_the_next_one_goes_on(site):
    run(site, builtin.install, lambda task: broken(task) if task.name == "ops.start" else None)
    assert states_of(site) == {"started", "starting", "uninitialized"}
    ran: list[str] = []
    run(site, builtin.install, lambda task: ran.append(task.name))
    assert ran == ["ops.start", "ops.start"]
    assert states_of(site) == {"started"}


def test_a_failing_uninstall_goes_to_its_end_when_failures_are_ignored(site):
    run(site, builtin.install)
    run(site, builtin.uninstall, broken, ignore_failure=True)
    assert states_of(site) == {"uninitialized"}


def test_healing_ends_with_everything_started(site):
    run(site, builtin.install)
    failing = next(item.id for item in site.instances() if item.node.id == "till")
    ran: list[str] = []
    run(site, builtin.heal, lambda task: ran.append(task.name), node_instance_id=failing)
    assert ran == ["ops.delete", "ops.create", "ops.start"]
    assert states_of(site) == {"started"}


def test_scaling_out_and_in_again(site):
    run(site, builtin.install)
    run(site, builtin.scale, scalable_entity_name="house")
    assert nodes_of(site) == ["house"] * 3 + ["sign", "stock"] + ["till"] * 3
    assert states_of(site) == {"started"}
    assert targets(site, "sign") == ["till"] * 3
    assert counted(site) == (3, 1)
    assert sorted(item.index for item in site.instances() if item.node.id == "till") == [1, 2, 3]
    run(site, builtin.scale, scalable_entity_name="house", delta="-2")
    assert nodes_of(site) == ["house", "sign", "stock", "till"]
    assert targets(site, "sign") == ["till"]
    assert counted(site) == (1, 1)


def test_a_group_is_scaled_with_all_its_members(site):
    run(site, builtin.scale, scalable_entity_name="branch")
    assert nodes_of(site) == ["house"] * 4 + ["sign", "stock"] + ["till"] * 4
    assert counted(site) == (2, 2)
    groups = {row["id"] for item in site.instances() for row in item.scaling_groups}
    assert len(groups) == 2
    run(site, builtin.scale, scalable_entity_name="branch", delta=-1)
    assert nodes_of(site) == ["house"] * 2 + ["sign", "stock"] + ["till"] * 2
    assert counted(site) == (2, 1)


def test_a_scaling_that_fails_leaves_everything_as_it_was(site):
    run(site, builtin.install)
    before = {item.id: (item.relationships, item.state) for item in site.instances()}
    execution = site.execute("scale")
    workflow = builtin.scale(site.context(execution), scalable_entity_name="house")
    names = []
    for _ in range(2):
        graph = next(workflow)
        names.append(graph.name)
        site.works.carry_out(execution, graph, broken)
    graph = workflow.throw(GraphFailed("create is broken"))
    while True:
        names.append(graph.name)
        site.works.carry_out(execution, graph, fine)
        try:
            graph = next(workflow)
        except GraphFailed:
            break
    assert names == ["house_begin", "house_install", "house_rollback", "house_undo"]
    assert {item.id: (item.relationships, item.state) for item in site.instances()} == before
    assert counted(site) == (2, 1)


def test_a_change_of_instances_that_is_written_twice_is_written_once(site):
    execution = site.execute("scale")
    begin = next(builtin.scale(site.context(execution), scalable_entity_name="house"))
    site.works.carry_out(execution, begin, fine)
    once = {item.id: item.relationships for item in site.instances()}
    again = Graph("again")
    for task in begin.tasks:
        task.id = f"{task.id}-again"
        again.add_task(task)
    site.works.carry_out(execution, again, fine)
    assert {item.id: item.relationships for item in site.instances()} == once


def test_the_stored_graph_is_found_on_a_resume(works, site):
    execution = site.execute("install")
    (graph,) = builtin.install(site.context(execution))
    works.carry_out(execution, graph, fine)
    works.change(execution, resume=True)
    (found,) = builtin.install(site.context(execution))
    assert {task.id for task in found.stored} == {task.id for task in graph.planned()}
    assert {task.state for task in found.stored} == {"succeeded"}


def test_a_deployment_is_read_in_a_few_queries_however_large_it_is(works, site):
    large = works.site(SHOP % 40)
    counts = []
    for place in (site, large):
        execution = place.execute("install")
        statements: list[str] = []

        def listen(*args: Any, seen: list[str] = statements) -> None:
            seen.append(args[2])

        event.listen(works.engine, "before_cursor_execute", listen)
        list(builtin.install(place.context(execution)))
        event.remove(works.engine, "before_cursor_execute", listen)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 5
