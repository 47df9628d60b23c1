"""A graph says what waits for what, and has nothing in it that does nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from manager.workflows.building import Graph, WorkflowTask, forkjoin
from manager.workflows.model import TaskType
from tests.support.workflow_stories import story


def say(event: str) -> WorkflowTask:
    return WorkflowTask(TaskType.WORKFLOW_EVENT, "say", {"event": event})


def nothing() -> WorkflowTask:
    return WorkflowTask(TaskType.NOP, "nothing")


def waits(graph: Graph) -> dict[str, set[str]]:
    """By what each task says, what those say that it waits for."""
    tasks = {task.id: task for task in graph.planned()}
    said = {name: task.parameters.get("event", task.name) for name, task in tasks.items()}
    return {said[name]: {said[other] for other in task.dependencies} for name, task in tasks.items()}


def test_a_sequence_runs_one_after_the_other_and_a_forkjoin_beside_each_other():
    graph = Graph("g")
    graph.sequence().add(say("a"), forkjoin(say("b"), say("c")), say("d"))
    assert waits(graph) == {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}


def test_a_forkjoin_of_cloudify_is_as_good():
    graph = Graph("g")
    graph.sequence().add(say("a"), SimpleNamespace(tasks=(say("b"), say("c"))))
    assert waits(graph) == {"a": set(), "b": {"a"}, "c": {"a"}}


def test_tasks_keep_their_order_and_have_ids_of_their_own():
    graph = Graph("g")
    for letter in "zyx":
        graph.add_task(say(letter))
    planned = graph.planned()
    assert [task.parameters["event"] for task in planned] == ["z", "y", "x"]
    assert len({task.id for task in planned}) == 3
    assert [task.id for task in graph.planned()] == [task.id for task in planned]


def test_what_does_nothing_is_left_out_and_the_order_stays():
    graph = Graph("g")
    graph.sequence().add(say("a"), nothing(), say("b"))
    assert waits(graph) == {"a": set(), "b": {"a"}}


def test_an_empty_subgraph_is_left_out_and_the_order_stays():
    graph = Graph("g")
    stub = graph.subgraph("stub")
    stub.subgraph("inside").add_task(nothing())
    graph.sequence().add(say("a"), stub, say("b"))
    assert waits(graph) == {"a": set(), "b": {"a"}}


def test_between_many_and_many_something_that_does_nothing_saves_dependencies():
    graph = Graph("g")
    stub = graph.subgraph("stub")
    stub.add_task(nothing())
    many = [[say(f"{side}{number}") for number in range(3)] for side in "ab"]
    graph.sequence().add(forkjoin(*many[0]), stub, forkjoin(*many[1]))
    planned = waits(graph)
    assert planned["stub"] == {"a0", "a1", "a2"}
    assert planned["b1"] == {"stub"}
    assert [task.type for task in graph.planned()].count(TaskType.SUBGRAPH) == 0


def test_what_is_in_a_subgraph_names_it():
    graph = Graph("g")
    outer = graph.subgraph("outer")
    inner = outer.subgraph("inner")
    outer.sequence().add(say("a"), inner, say("c"))
    inner.add_task(say("b"))
    graph.add_dependency(outer, graph.add_task(say("before")))
    assert story(graph.planned()) == (
        "say: before\nouter:  (after say: before)\n    say: a\n    inner:\n        say: b\n    say: c\n"
    )


def test_a_task_cannot_be_in_two_subgraphs():
    graph = Graph("g")
    task = graph.subgraph("one").add_task(say("a"))
    with pytest.raises(ValueError, match=r"one>, and cannot be in .* two> as well"):
        graph.subgraph("two").add_task(task)


def test_a_dependency_is_between_tasks_of_the_graph():
    graph = Graph("g")
    with pytest.raises(ValueError, match="is not in the graph g: add it with add_task first"):
        graph.add_dependency(graph.add_task(say("a")), say("b"))


def test_a_removed_subgraph_takes_with_it_what_is_in_it():
    graph = Graph("g")
    gone = graph.subgraph("gone")
    gone.sequence().add(say("a"), say("b"))
    graph.sequence().add(gone, say("c"))
    graph.remove_task(gone)
    assert waits(graph) == {"c": set()}


def circle(graph: Graph) -> None:
    tasks = [graph.add_task(say(letter)) for letter in "abc"]
    for number, task in enumerate(tasks):
        graph.add_dependency(task, tasks[number - 1])


def waiting_for_ones_own_subgraph(graph: Graph) -> None:
    subgraph = graph.subgraph("s")
    graph.add_dependency(subgraph.add_task(say("a")), subgraph)


def two_subgraphs_that_wait_for_parts_of_each_other(graph: Graph) -> None:
    one, two = graph.subgraph("one"), graph.subgraph("two")
    graph.add_dependency(one.add_task(say("a")), two)
    graph.add_dependency(two, one)


CIRCLES = [circle, waiting_for_ones_own_subgraph, two_subgraphs_that_wait_for_parts_of_each_other]


@pytest.mark.parametrize("make", CIRCLES)
def test_tasks_that_would_wait_for_each_other_forever_are_refused(make):
    graph = Graph("g")
    make(graph)
    with pytest.raises(ValueError, match="Tasks wait for each other"):
        graph.check_order()


def test_handlers_are_refused_and_the_way_out_is_named():
    task = say("a")
    task.on_failure = None
    for name in ("on_failure", "on_success"):
        with pytest.raises(NotImplementedError, match=r"ignore_failure = True"):
            setattr(task, name, lambda _: None)
    task.ignore_failure = True
    graph = Graph("g")
    graph.add_task(task)
    assert graph.planned()[0].ignores_failure
