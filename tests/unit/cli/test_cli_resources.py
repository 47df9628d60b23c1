"""What each command that lists, shows, deletes or changes a resource asks of the manager."""

from __future__ import annotations

import pytest

from tests.unit.cli.scripted import error, items

RECORD = {"id": "x", "username": "x", "name": "x", "status": "deactivated", "tenants": {}}
EXECUTION = {"id": "e1", "status": "pending"}


@pytest.fixture
def manager(cfy, managers):
    listed = (
        *("blueprints", "deployments", "nodes", "node-instances", "executions", "snapshots", "agents"),
        *("users", "tenants"),
    )
    manager = managers.add({f"GET /{name}": items(RECORD) for name in listed} | {"*": (200, RECORD)})
    cfy.profile(manager, port=managers.port)
    return manager


def succeeds(cfy, manager, line):
    result = cfy(*line.split())
    assert result.exit_code == 0, result.stderr
    return manager.requests()


@pytest.mark.parametrize(
    ("line", "request_line"),
    [
        ("blueprints list", "GET /blueprints?_sort=created_at"),
        ("deployments list -b shop", "GET /deployments?blueprint_id=shop&_sort=created_at"),
        ("nodes list -d web", "GET /nodes?deployment_id=web"),
        ("nodes get vm -d web", "GET /nodes?deployment_id=web&id=vm"),
        ("node-instances list -d web -n vm", "GET /node-instances?deployment_id=web&node_id=vm"),
        ("executions list -d web", "GET /executions?deployment_id=web&_sort=created_at"),
        (
            "executions list --include-system-workflows",
            "GET /executions?_include_system_workflows=true&_sort=created_at",
        ),
        ("snapshots list", "GET /snapshots?_sort=created_at"),
        ("agents list -d web", "GET /agents?deployment_id=web"),
        ("agents list --node-id vm --node-id db", "GET /agents?node_ids=vm&node_ids=db"),
        ("agents list --node-instance-id vm_1", "GET /agents?node_instance_ids=vm_1"),
        ("agents list --install-method remote", "GET /agents?install_methods=remote"),
        ("users list", "GET /users?_get_data=true"),
        ("tenants list", "GET /tenants?_get_data=true"),
    ],
)
def test_lists_and_their_filters(cfy, manager, line, request_line):
    assert succeeds(cfy, manager, line) == [request_line]


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ("--sort-by id", "_sort=id"),
        ("--sort-by id --descending", "_sort=-id"),
        ("--descending", "_sort=-created_at"),
        ("--search we", "_search=we&_sort=created_at"),
        ("-a", "_all_tenants=true&_sort=created_at"),
        ("-o 20 -s 10", "_offset=20&_size=10&_sort=created_at"),
        ("--pagination-size 10", "_size=10&_sort=created_at"),
    ],
)
def test_the_options_of_all_lists(cfy, manager, options, query):
    assert succeeds(cfy, manager, f"blueprints list {options}") == [f"GET /blueprints?{query}"]


def test_a_page_that_was_asked_for_is_all_that_is_read(cfy, manager):
    pagination = {"total": 3, "offset": 0, "size": 1}
    manager.table["GET /blueprints"] = (200, {"items": [RECORD], "metadata": {"pagination": pagination}})
    assert cfy.json("blueprints", "list", "-s", "1") == [RECORD]
    assert len(manager.seen) == 1


def test_an_order_of_nothing(cfy, manager):
    result = cfy("users", "list", "--descending")
    assert result.exit_code == 2
    assert "--sort-by" in result.stderr


@pytest.mark.parametrize("noun", ["blueprints", "nodes", "node-instances", "snapshots", "users"])
def test_an_empty_list_says_so(cfy, manager, noun):
    manager.table[f"GET /{noun}"] = items()
    assert cfy(noun, "list").stdout == f"There are no {noun.replace('-', ' ')}.\n"
    assert cfy.json(noun, "list") == []


@pytest.mark.parametrize(
    ("line", "request_line"),
    [
        ("blueprints get x", "GET /blueprints/x"),
        ("deployments get x", "GET /deployments/x"),
        ("node-instances get x", "GET /node-instances/x"),
        ("executions get x", "GET /executions/x"),
        ("users get x", "GET /users/x?_get_data=true"),
        ("tenants get x", "GET /tenants/x?_get_data=true"),
        ("snapshots get x", "GET /snapshots/x"),
        ("snapshots status", "GET /snapshot-status"),
        ("maintenance-mode status", "GET /maintenance"),
        ("blueprints delete x", "DELETE /blueprints/x"),
        ("blueprints delete x -f", "DELETE /blueprints/x?force=true"),
        ("snapshots delete x", "DELETE /snapshots/x"),
        ("users delete x", "DELETE /users/x"),
        ("tenants delete x", "DELETE /tenants/x"),
        ("users unlock x", "POST /users/unlock/x"),
    ],
)
def test_one_of_them(cfy, manager, line, request_line):
    assert succeeds(cfy, manager, line) == [request_line]


def test_a_node_that_a_deployment_does_not_have(cfy, manager):
    manager.table["GET /nodes"] = items()
    result = cfy("nodes", "get", "vm", "-d", "web")
    assert result.exit_code == 1
    assert "Deployment web has no node vm" in result.stderr
    assert "cfy nodes list -d web" in result.stderr


def test_json_has_all_of_it_and_a_person_sees_what_matters(cfy, manager):
    record = {**RECORD, "plan": {"much": 1}}
    manager.table["GET /blueprints/x"] = (200, record)
    assert "much" not in cfy("blueprints", "get", "x").stdout
    assert cfy.json("blueprints", "get", "x") == record


SNAPSHOT = {
    "include_metrics": False,
    "include_credentials": True,
    "include_logs": True,
    "include_events": True,
    "queue": False,
}
RESTORE_FLAGS = "--restore-certificates --no-reboot --ignore-plugin-failure"
RESTORE = {
    "recreate_deployments_envs": True,
    "force": False,
    "restore_certificates": False,
    "no_reboot": False,
    "ignore_plugin_failure": False,
}


@pytest.mark.parametrize(
    ("line", "request_line", "body"),
    [
        ("create s1", "PUT /snapshots/s1", SNAPSHOT),
        (
            "create s1 --include-metrics --exclude-credentials --exclude-logs --exclude-events --queue",
            "PUT /snapshots/s1",
            {name: not value for name, value in SNAPSHOT.items()},
        ),
        ("restore s1", "POST /snapshots/s1/restore", RESTORE),
        (
            f"restore s1 -f --without-deployment-envs {RESTORE_FLAGS}",
            "POST /snapshots/s1/restore",
            {name: not value for name, value in RESTORE.items()},
        ),
    ],
)
def test_a_snapshot_is_made_and_restored_by_an_execution(cfy, manager, line, request_line, body):
    manager.table["*"] = (201, EXECUTION)
    result = cfy("snapshots", *line.split())
    assert result.exit_code == 0, result.stderr
    assert "The execution's id is e1." in result.stdout
    assert manager.requests() == [request_line]
    assert manager.seen[0].body == body


def test_a_snapshot_gets_a_name(cfy, manager):
    manager.table["*"] = (201, EXECUTION)
    cfy("snapshots", "create")
    assert manager.seen[0].path.startswith("/snapshots/snapshot_2")


def test_a_refused_restore(cfy, manager):
    manager.table["*"] = error(400, "illegal_action_error", "The cluster has 3 members")
    result = cfy("snapshots", "restore", "s1")
    assert result.exit_code == 1
    assert "3 members" in result.stderr
