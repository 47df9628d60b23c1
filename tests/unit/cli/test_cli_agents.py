"""Installing agents anew, and looking whether they answer: a workflow on each deployment that has some."""

from __future__ import annotations

import pytest

from tests.unit.cli.scripted import error
from tests.unit.cli.test_cli_events import ALL, pages
from tests.unit.cli.test_cli_executions import execution

AGENTS = [
    {"id": "vm_1", "deployment": "web"},
    {"id": "vm_2", "deployment": "web"},
    {"id": "vm_3", "deployment": "shop"},
]


@pytest.fixture
def sent():
    return []


@pytest.fixture
def scene(cfy, managers, sent):
    def answer(seen):
        sent.append(seen.body)
        return 201, execution("pending", deployment_id=seen.body["deployment_id"])

    def prepare(agents, *ends):
        page = {
            "items": agents,
            "metadata": {"pagination": {"total": len(agents), "offset": 0, "size": 1000}},
        }
        table = {
            "GET /agents": (200, page),
            "POST /executions": answer,
            "GET /executions/e1": [(200, execution(end)) for end in ends],
            "GET /events": pages(ALL, ALL),
            "GET /deployments/empty": (200, {"id": "empty"}),
            "GET /deployments/nosuch": error(404, "not_found_error", "`nosuch` was not found"),
        }
        cfy.profile(managers.add(table), port=managers.port)

    return prepare


@pytest.mark.parametrize(
    ("command", "workflow"), [("install", "install_new_agents"), ("validate", "validate_agents")]
)
def test_each_deployment_with_agents_has_its_workflow_once(cfy, scene, sent, command, workflow):
    scene(AGENTS, "terminated", "terminated")
    result = cfy("agents", command, "--node-id", "vm")
    assert result.exit_code == 0, result.stderr
    assert [(it["workflow_id"], it["deployment_id"]) for it in sent] == [
        (workflow, "web"),
        (workflow, "shop"),
    ]
    assert [it["parameters"] for it in sent] == [{"node_ids": ["vm"]}] * 2


def test_the_others_are_looked_at_when_one_has_failed(cfy, scene, sent):
    scene(AGENTS, "failed", "terminated")
    result = cfy("agents", "validate")
    assert result.exit_code == 1
    assert "web" in result.stderr
    assert len(sent) == 2


def test_without_agents_nothing_is_started(cfy, scene, sent):
    scene([])
    assert cfy("agents", "validate").stdout == "There are no agents.\n"
    assert cfy("agents", "validate", "-d", "empty").stdout == "There are no such agents.\n"
    assert sent == []


def test_agents_of_a_deployment_that_is_not_there_are_not_found(cfy, scene):
    scene([])
    result = cfy("agents", "install", "-d", "nosuch")
    assert result.exit_code == 1
    assert "nosuch" in result.stderr
