"""What each workflow does, as a story: the files in ``stories`` are read by people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manager.workflows import builtin
from manager.workflows.building import Graph
from tests.support.workflow_stories import told

STORIES = Path(__file__).parent / "stories"

Workflow = Iterator[Graph]


def execute(ctx: Any, **more: Any) -> Workflow:
    return builtin.execute_operation(ctx, operation="cloudify.interfaces.lifecycle.create", **more)


CASES: dict[str, tuple[str, dict[str, str], Any]] = {
    "install": ("uninitialized", {}, builtin.install),
    "install_what_is_missing": (
        "started",
        {"till_1": "created", "sign_1": "uninitialized"},
        builtin.install,
    ),
    "install_one_machine_again": (
        "started",
        {"house_1": "uninitialized", "till_1": "uninitialized"},
        lambda ctx: builtin.install(ctx, node_instance_ids=["house_1", "till_1"]),
    ),
    "install_what_others_are_linked_to": (
        "started",
        {"stock_1": "uninitialized", "till_2": "uninitialized"},
        lambda ctx: builtin.install(ctx, node_ids=["stock"]),
    ),
    "uninstall_what_others_are_linked_to": (
        "started",
        {"till_2": "uninitialized"},
        lambda ctx: builtin.uninstall(ctx, node_ids=["stock"]),
    ),
    "uninstall": ("started", {}, builtin.uninstall),
    "uninstall_ignoring_failures": (
        "uninitialized",
        {"till_1": "starting", "stock_1": "stopped"},
        lambda ctx: builtin.uninstall(ctx, ignore_failure=True),
    ),
    "execute_operation": ("started", {}, execute),
    "execute_operation_in_order": (
        "started",
        {},
        lambda ctx: execute(
            ctx,
            run_by_dependency_order=True,
            node_ids=["stock", "sign", "till"],
            operation_kwargs={"size": 5, "more": True},
            allow_kwargs_override=True,
        ),
    ),
    "restart": ("started", {}, lambda ctx: builtin.restart(ctx, run_by_dependency_order=True)),
    "heal": ("started", {}, lambda ctx: builtin.heal(ctx, node_instance_id="till_2")),
    "install_new_agents": ("started", {"house_1": "stopped"}, builtin.install_new_agents),
    "validate_agents": (
        "started",
        {},
        lambda ctx: builtin.validate_agents(ctx, node_instance_ids=["house_2"]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_story_of(name, shop):
    everything, states, workflow = CASES[name]
    paper = shop(everything, states=states)
    stories = told(paper, workflow(paper.context()))
    text = "\n".join(f"# {graph}\n{lines}" for graph, lines in stories.items())
    assert text == (STORIES / f"{name}.txt").read_text()
