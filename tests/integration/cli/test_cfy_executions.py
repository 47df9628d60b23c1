"""Workflows from the command line to a real manager. No engine runs here: what begins stays as it is."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.integration

BLUEPRINT = """
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
node_templates:
  sign: {type: cloudify.nodes.Root}
"""


@pytest.fixture
def web(cfy, name, tmp_path):
    """A deployment with the usual workflows: its id. At the end nothing of it is left."""
    folder = tmp_path / "signs"
    folder.mkdir()
    (folder / "blueprint.yaml").write_text(BLUEPRINT)
    cfy.json("blueprints", "upload", str(folder / "blueprint.yaml"), "-b", name)
    cfy.json("deployments", "create", name, "-b", name)
    yield name
    for execution in cfy.json("executions", "list", "-d", name):
        cfy("executions", "cancel", execution["id"])
    assert cfy("deployments", "delete", name).exit_code == 0
    cfy("blueprints", "delete", name)


def start(cfy, deployment, workflow, *more):
    return cfy("executions", "start", workflow, "-d", deployment, "--timeout", "0.5", *more)


def running(cfy, deployment):
    """The execution that has begun, or would if there were an engine."""
    (found,) = [it for it in cfy.json("executions", "list", "-d", deployment) if it["status"] == "pending"]
    return found


def test_the_workflows_of_a_deployment(cfy, web):
    names = [it["name"] for it in cfy.json("workflows", "list", "-d", web)]
    assert {"install", "uninstall", "execute_operation", "heal", "scale"} <= set(names)
    assert cfy.json("workflows", "get", "heal", "-d", web)["name"] == "heal"


def test_one_that_nobody_works_on_yet_is_waited_for_and_goes_on(cfy, web):
    result = start(cfy, web, "install")
    assert result.exit_code == 5
    assert f"cfy executions get {running(cfy, web)['id']}" in result.stderr


def test_what_is_in_the_way_is_named_and_can_be_waited_for(cfy, web):
    start(cfy, web, "install")
    result = start(cfy, web, "uninstall")
    assert result.exit_code == 1
    assert running(cfy, web)["id"] in result.stderr
    assert "--queue" in result.stderr
    waiting = start(cfy, web, "uninstall", "--queue", "--json")
    assert waiting.exit_code == 0
    assert json.loads(waiting.stdout)["status"] == "queued"


def test_one_for_later(cfy, web):
    result = start(cfy, web, "install", "--schedule", "203001012230+0100", "--json")
    assert json.loads(result.stdout)["scheduled_for"] == "2030-01-01T21:30:00.000Z"
    assert "YYYYMMDDHHMM" in start(cfy, web, "install", "--schedule", "soon").stderr


def test_what_has_not_begun_is_cancelled_at_once(cfy, web):
    start(cfy, web, "install")
    execution = running(cfy, web)["id"]
    assert cfy.json("executions", "cancel", execution)["status"] == "cancelled"
    assert cfy("executions", "cancel", execution).exit_code == 1
    assert "cancelled" in cfy("events", "list", execution).stdout
    assert cfy.json("executions", "resume", execution)["status"] == "pending"


def test_parameters_are_what_the_workflow_says(cfy, web):
    assert "node_instance_id" in start(cfy, web, "heal").stderr
    assert start(cfy, web, "install", "-p", "more=1").exit_code == 1
    start(cfy, web, "install", "-p", "more=1", "--allow-custom-parameters")
    assert running(cfy, web)["parameters"] == {"more": "1"}
