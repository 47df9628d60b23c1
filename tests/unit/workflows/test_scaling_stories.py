"""Scaling: what is added and removed, and that it is as before when it fails. The parser is the real one."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest

from manager.workflows import builtin
from manager.workflows.building import Graph
from manager.workflows.model import GraphFailed, Task
from tests.support.workflow_stories import Paper, told


def scale(paper: Paper, entity: str, **more: Any) -> dict[str, str]:
    """The stories of its graphs."""
    return told(paper, builtin.scale(paper.context(), scalable_entity_name=entity, **more))


def changes(paper: Paper, graph: str, entity: str, **more: Any) -> dict[str, Any]:
    """What the one task of a graph writes."""
    for made in builtin.scale(paper.context(), scalable_entity_name=entity, **more):
        if made.name == graph:
            (task,) = made.planned()
            return dict(task.parameters)
        made.planned()
    raise AssertionError(graph)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["node_id"] for row in rows)


def test_a_machine_more_comes_with_all_that_is_contained_in_it(shop):
    begun = changes(shop("started"), "house_begin", "house", delta="+1")
    assert ids(begun["add"]) == ["house", "till"]
    assert begun["counts"] == {"entity": "house", "is_group": False, "current": 2, "planned": 3}


def test_its_neighbours_get_to_know_it(shop):
    begun = changes(shop("started"), "house_begin", "house")
    (till,) = [row["id"] for row in begun["add"] if row["node_id"] == "till"]
    assert [item["target_id"] for item in begun["relationships"]["sign_1"]] == ["till_1", "till_2", till]


def test_one_machine_less_is_chosen_by_what_is_included_and_excluded(shop):
    for hints in ({"exclude_instances": ["house_1"]}, {"include_instances": "house_2"}):
        finished = changes(shop("started"), "house_finish", "house", delta=-1, **hints)
        assert sorted(finished["remove"]) == ["house_2", "till_2"]
        assert [item["target_id"] for item in finished["relationships"]["sign_1"]] == ["till_1"]
        assert finished["counts"] == {"entity": "house", "is_group": False, "current": 1, "planned": 1}


def test_what_goes_is_taken_down_before_it_is_forgotten(shop):
    stories = scale(shop("started"), "house", delta=-1, include_instances=["house_2"])
    assert list(stories) == ["house_begin", "house_uninstall", "house_finish"]
    down = stories["house_uninstall"]
    assert "uninstall_house_2:  (after uninstall_till_2)" in down
    assert "house_1" not in down


def test_a_group_is_scaled_as_a_whole(shop):
    begun = changes(shop("started"), "branch_begin", "branch")
    assert ids(begun["add"]) == ["house", "house", "till", "till"]
    assert begun["counts"] == {"entity": "branch", "is_group": True, "current": 1, "planned": 2}


def test_what_runs_on_a_machine_is_scaled_with_it_when_that_is_wanted(shop):
    begun = changes(shop("started"), "till_begin", "till", scale_compute=True)
    assert begun["counts"]["entity"] == "house"
    assert ids(begun["add"]) == ["house", "till"]


def test_scaling_out_that_fails_is_undone(shop):
    paper = shop("started")
    workflow = builtin.scale(paper.context(), scalable_entity_name="house")
    names = [next(workflow).name, next(workflow).name]
    names.append(workflow.throw(GraphFailed("no more machines")).name)
    undo = next(workflow)
    (task,) = undo.planned()
    assert [*names, undo.name] == ["house_begin", "house_install", "house_rollback", "house_undo"]
    assert sorted(name.rpartition("_")[0] for name in task.parameters["remove"]) == ["house", "till"]
    assert [item["target_id"] for item in task.parameters["relationships"]["sign_1"]] == ["till_1", "till_2"]
    assert task.parameters["counts"]["planned"] == 2
    with pytest.raises(GraphFailed, match="no more machines"):
        next(workflow)


def _fail(workflow: Generator[Graph], names: list[str]) -> None:
    names.append(workflow.throw(GraphFailed("stuck")).name)
    names.extend(graph.name for graph in workflow)


@pytest.mark.parametrize(("rollback", "graphs"), [(True, ["house_undo"]), (False, [])])
def test_scaling_in_that_fails_keeps_the_instances(shop, rollback, graphs):
    workflow = builtin.scale(
        shop("started").context(),
        scalable_entity_name="house",
        delta=-1,
        rollback_if_failed=rollback,
    )
    assert [next(workflow).name, next(workflow).name] == ["house_begin", "house_uninstall"]
    names: list[str] = []
    with pytest.raises(GraphFailed, match="stuck"):
        _fail(workflow, names)
    assert names == graphs


def test_a_resumed_scaling_does_what_was_planned_before(shop):
    paper = shop("started")
    begun = next(builtin.scale(paper.context(), scalable_entity_name="house")).planned()
    paper.graphs, paper.resume = {"house_begin": begun}, True
    again = next(builtin.scale(paper.context(), scalable_entity_name="house"))
    assert again.stored == begun


def test_a_scaling_that_was_going_back_goes_back_further_when_it_is_resumed(shop):
    paper = shop("started")
    begun = next(builtin.scale(paper.context(), scalable_entity_name="house")).planned()
    rollback: tuple[Task, ...] = ()
    paper.graphs, paper.resume = {"house_begin": begun, "house_rollback": rollback}, True
    workflow = builtin.scale(paper.context(), scalable_entity_name="house")
    assert [next(workflow).name for _ in range(3)] == ["house_begin", "house_rollback", "house_undo"]
    with pytest.raises(RuntimeError, match="has been rolled back"):
        next(workflow)


def test_a_dry_run_changes_nothing(shop):
    stories = scale(shop("started", dry_run=True), "house", delta=-1, include_instances=["house_2"])
    assert stories["house_begin"] == stories["house_finish"] == "\n"
    assert " is " not in stories["house_uninstall"]


def test_nothing_is_done_for_a_delta_of_nothing(shop):
    assert scale(shop("started"), "house", delta=0) == {}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"entity": "nothing"}, "No scalable entity named nothing"),
    ({"delta": "many"}, "must be a number. Got: many"),
    ({"delta": -3}, "delta: -3 is illegal"),
    ({"entity": "branch", "delta": 3}, "cannot have 4 instances: there have to be 0 to 3"),
    ({"delta": 1, "include_instances": ["house_1"]}, "when scaling up"),
    ({"delta": -1, "include_instances": ["house_9"]}, "included instances did not exist: house_9"),
    ({"delta": -1, "exclude_instances": ["till_1"]}, "excluded instances did not exist: till_1"),
    (
        {"delta": -1, "include_instances": ["house_1"], "exclude_instances": ["house_1"]},
        "both excluded and included: house_1",
    ),
    ({"delta": -1, "exclude_instances": ["house_1", "house_2"]}, "less than excluded"),
    ({"delta": -1, "exclude_instances": ["house_1"], "scale_compute": True}, "while scale_compute is True"),
]


@pytest.mark.parametrize(("wish", "words"), WRONG)
def test_what_cannot_be_done_is_said_before_anything_is_changed(shop, wish, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        scale(shop("started"), **{"entity": "house", **wish})
