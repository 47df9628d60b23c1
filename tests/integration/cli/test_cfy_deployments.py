"""Deployments and what they consist of, from the command line to a real manager."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def web(cfy, uploaded):
    """A deployment of two tills: its id."""
    identifier = f"{uploaded}-web"
    inputs = ("-i", "host=here", "-i", '{"port": 8080}')
    cfy.json("deployments", "create", identifier, "-b", uploaded, *inputs)
    yield identifier
    cfy("deployments", "delete", identifier, "-f")


def test_its_inputs_and_outputs(cfy, web, uploaded):
    shown = cfy.json("deployments", "get", web)
    assert (shown["id"], shown["blueprint_id"]) == (web, uploaded)
    assert cfy.json("deployments", "inputs", web) == {"host": "here", "port": 8080}
    assert cfy.json("deployments", "outputs", web) == {"address": "here:8080"}
    assert cfy.json("deployments", "capabilities", web) == {}


def test_its_nodes_and_their_instances(cfy, web):
    (node,) = cfy.json("nodes", "list", "-d", web)
    assert (node["id"], node["number_of_instances"]) == ("till", 2)
    assert cfy.json("nodes", "get", "till", "-d", web)["properties"] == {"port": 8080}
    instances = cfy.json("node-instances", "list", "-d", web, "-n", "till")
    assert [it["node_id"] for it in instances] == ["till", "till"]
    first = cfy.json("node-instances", "get", instances[0]["id"])
    assert (first["deployment_id"], first["state"]) == (web, "uninitialized")


def test_deployments_of_a_blueprint(cfy, web, uploaded):
    assert [it["id"] for it in cfy.json("deployments", "list", "-b", uploaded)] == [web]
    assert cfy.json("deployments", "list", "-b", "another") == []


def test_a_blueprint_in_use_stays(cfy, web, uploaded):
    result = cfy("blueprints", "delete", uploaded)
    assert result.exit_code == 1
    assert web in result.stderr


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("{port: 80}", "host"),
        ("host=a;colour=red", "colour"),
        ("host=a;port=80", "as JSON: -i"),
    ],
)
def test_inputs_that_do_not_fit(cfy, uploaded, inputs, said):
    result = cfy("deployments", "create", "wrong", "-b", uploaded, "-i", inputs)
    assert result.exit_code == 1
    assert said in result.stderr
    assert cfy("deployments", "get", "wrong").exit_code == 1


def test_delete_ends_when_it_is_gone(cfy, web):
    result = cfy("deployments", "delete", web)
    assert result.exit_code == 0, result.stderr
    result = cfy("deployments", "get", web)
    assert result.exit_code == 1
    assert f"`Deployment` with ID `{web}` was not found" in result.stderr
    assert cfy.json("nodes", "list", "-d", web) == []


def test_how_it_was_made(cfy, web):
    (execution,) = cfy.json("executions", "list", "-d", web, "--include-system-workflows")
    assert execution["workflow_id"] == "create_deployment_environment"
    assert cfy.json("executions", "get", execution["id"])["status_display"] == "completed"
    result = cfy("events", "list", execution["id"], "--tail")
    assert result.exit_code == 0, result.stderr
    first, *_, last = result.stdout.splitlines()
    assert "workflow_started" in first
    assert "workflow_succeeded" in last


def test_it_has_no_agents(cfy, web):
    assert cfy.json("agents", "list", "-d", web, "--node-id", "till", "--install-method", "remote") == []


def test_maintenance_mode_refuses_what_is_new(cfy, web, uploaded):
    assert cfy.json("maintenance-mode", "activate", "--wait")["status"] == "activated"
    try:
        result = cfy("deployments", "create", "late", "-b", uploaded, "-i", "host=a")
        assert result.exit_code == 1
        assert "maintenance" in result.stderr
    finally:
        assert cfy.json("maintenance-mode", "deactivate")["status"] == "deactivated"
    assert cfy.json("maintenance-mode", "status")["status"] == "deactivated"
