"""A deployment is made at once, and deleted by the manager in its own time."""

from __future__ import annotations

import pytest

from tests.unit.cli.scripted import DROP, NOT_LEADER, error, items

GONE = error(404, "not_found_error", "Requested `Deployment` with ID `web` was not found")
WEB = (200, {"id": "web", "inputs": {"port": 80}})
EXECUTIONS = "GET /executions"


def deletion(status, said=None):
    return items({"id": "e", "workflow_id": "delete_deployment_environment", "status": status, "error": said})


@pytest.fixture
def manager(cfy, managers):
    manager = managers.add({"GET /deployments/web": WEB, "DELETE /deployments/web": (200, {"id": "web"})})
    cfy.profile(manager, port=managers.port)
    return manager


@pytest.mark.parametrize(
    ("line", "name", "differs"),
    [
        ("web -b shop", "web", {}),
        ("-b shop", "shop", {}),
        ("web -b shop -l private", "web", {"visibility": "private"}),
        ("web -b shop --skip-plugins-validation", "web", {"skip_plugins_validation": True}),
        ("web -b shop -i port=80", "web", {"inputs": {"port": "80"}}),
    ],
)
def test_create(cfy, manager, line, name, differs):
    manager.table["*"] = (201, {"id": name})
    result = cfy("deployments", "create", *line.split())
    assert result.stdout == f"Deployment {name} is created.\n"
    body = {"blueprint_id": "shop", "inputs": {}, "visibility": "tenant", "skip_plugins_validation": False}
    assert manager.requests() == [f"PUT /deployments/{name}"]
    assert manager.seen[0].body == body | differs


def test_a_refused_input(cfy, manager):
    message = "Required inputs ['port'] were not specified"
    manager.table["*"] = error(400, "missing_required_deployment_input_error", message)
    result = cfy("deployments", "create", "web", "-b", "shop")
    assert result.exit_code == 1
    assert message in result.stderr


def test_an_input_of_another_type(cfy, manager):
    message = "the defined type is 'integer', yet it was assigned with the value '80'"
    manager.table["*"] = error(400, "invalid_blueprint_error", message)
    assert "as JSON: -i" in cfy("deployments", "create", "web", "-b", "shop", "-i", "port=80").stderr


def test_delete_waits_until_it_is_gone(cfy, manager):
    manager.table |= {
        "GET /deployments/web": [WEB, WEB, GONE],
        EXECUTIONS: [items(), deletion("started")],
    }
    assert cfy("deployments", "delete", "web").stdout == "Deployment web is deleted.\n"
    assert manager.table["GET /deployments/web"][-1] == GONE
    assert len([line for line in manager.requests() if line.startswith("GET /deployments")]) == 3


def test_delete_with_nodes_that_live(cfy, manager):
    manager.table["GET /deployments/web"] = GONE
    cfy("deployments", "delete", "web", "-f")
    assert manager.requests()[0] == "DELETE /deployments/web?ignore_live_nodes=true"


def test_a_manager_that_changes_meanwhile(cfy, manager):
    manager.table["GET /deployments/web"] = [DROP, NOT_LEADER, GONE]
    assert cfy("deployments", "delete", "web").exit_code == 0


def test_a_deletion_that_fails(cfy, manager):
    manager.table[EXECUTIONS] = deletion("failed", "a plugin is stuck")
    result = cfy("deployments", "delete", "web")
    assert result.exit_code == 1
    assert "could not be deleted: a plugin is stuck" in result.stderr


def test_a_deletion_that_takes_too_long(cfy, manager):
    manager.table[EXECUTIONS] = deletion("started")
    result = cfy("deployments", "delete", "web", "--timeout", "0.05")
    assert result.exit_code == 5
    assert "web is not deleted" in result.stderr


@pytest.mark.parametrize("what", ["outputs", "capabilities"])
def test_what_a_deployment_tells(cfy, manager, what):
    manager.table[f"GET /deployments/web/{what}"] = (200, {"deployment_id": "web", what: {"url": "here"}})
    assert cfy("deployments", what, "web").stdout.split() == ["url", "here"]
    assert cfy.json("deployments", what, "web") == {"url": "here"}


def test_inputs(cfy, manager):
    assert cfy.json("deployments", "inputs", "web") == {"port": 80}
