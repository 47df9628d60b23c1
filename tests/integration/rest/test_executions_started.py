"""Starting executions. No engine runs here: what it would do is done in the database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from manager.models import Execution
from tests.support.shop import refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def start(rest, deployment, database):
    """Start a workflow of the deployment; at the end all executions of it are over."""

    def start(workflow_id="install", client=rest, **more):
        return client.post("/executions", {"deployment_id": deployment, "workflow_id": workflow_id, **more})

    yield start
    database.rollback()
    mine = Execution.deployment_id == deployment
    database.execute(update(Execution).where(mine).values(status="terminated"))
    database.commit()


@pytest.fixture
def finish(database):
    """What the engine does when an execution has ended."""

    def finish(execution, status="terminated"):
        database.execute(update(Execution).where(Execution.id == execution["id"]).values(status=status))
        database.commit()

    return finish


def test_it_is_pending_until_an_engine_takes_it(start, rest, deployment, database):
    answer = start(
        parameters={"ignore": "me"}, allow_custom_parameters="true", wait_after_fail=5, timeout_s=60
    )
    assert answer.status_code == 201
    made = answer.json()
    assert (made["status"], made["error"], made["deployment_id"]) == ("pending", None, deployment)
    assert (made["blueprint_id"], made["created_by"]) == (f"{deployment}-shop", "admin")
    assert (made["wait_after_fail"], made["timeout_s"]) == (5, 60)
    assert made["parameters"] == {"ignore": "me"}
    assert rest.get(f"/executions/{made['id']}").json() == made
    found = database.query(Execution).filter_by(id=made["id"]).one()
    assert (found.engine, found.resumable, found.term) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"workflow_id": "fly"}, "nonexistent_workflow_error"),
        ({"workflow_id": ""}, "bad_parameters_error"),
        ({"workflow_id": None}, "bad_parameters_error"),
        ({"parameters": {"wings": 2}}, "illegal_execution_parameters_error"),
        ({"workflow_id": "execute_operation"}, "illegal_execution_parameters_error"),
        ({"parameters": "none"}, "bad_parameters_error"),
        ({"force": "perhaps"}, "bad_parameters_error"),
        ({"timeout_s": 0}, "bad_parameters_error"),
        ({"wait_after_fail": -1}, "bad_parameters_error"),
        ({"scheduled_time": "tomorrow"}, "bad_parameters_error"),
        ({"scheduled_time": "201801012230-0500"}, "bad_parameters_error"),
        ({"scheduled_time": "2018-01-01T22:30:00Z"}, "bad_parameters_error"),
        ({"scheduled_time": "209913012230+0000"}, "bad_parameters_error"),
        ({"id": "mine"}, "bad_parameters_error"),
    ],
)
def test_what_cannot_be_started(start, body, code):
    assert refusal(start(**body)) == (400, code)


def test_a_bad_time_is_told_how_times_are_written(start):
    for wrong in ("tomorrow", "201801012230-0500"):
        assert "YYYYMMDDHHMM+HHMM" in start(scheduled_time=wrong).json()["message"]


def test_a_workflow_that_there_is_not_is_told_which_there_are(start, deployment):
    message = start("fly").json()["message"]
    assert message.startswith(f"Workflow fly does not exist in deployment {deployment}")
    assert "install, " in message


def test_a_deployment_that_there_is_not(rest):
    answer = rest.post("/executions", {"deployment_id": "nowhere", "workflow_id": "install"})
    assert refusal(answer) == (404, "not_found_error")
    assert answer.json()["message"] == "Requested `Deployment` with ID `nowhere` was not found"


@pytest.mark.parametrize(
    "flags", [{"force": "false"}, {"dry_run": "true"}, {"force": False, "queue": "False"}]
)
def test_a_second_one_on_the_deployment_is_refused(start, flags):
    first = start().json()
    answer = start("uninstall", **flags)
    assert refusal(answer) == (400, "existing_running_execution_error")
    assert first["id"] in answer.json()["message"]


def test_a_forced_one_runs_beside_it(start):
    start()
    assert start("uninstall", force="true").json()["status"] == "pending"


def test_one_that_would_rather_wait_is_queued(start, finish):
    first = start().json()
    second = start("uninstall", queue="True").json()
    assert second["status"] == "queued"
    finish(first)
    # The first of the queue comes first; who does not wait in it passes.
    assert start(queue="true").json()["status"] == "queued"
    assert start("heal", parameters={"node_instance_id": "x"}).json()["status"] == "pending"


def test_when_it_has_ended_the_next_one_starts(start, finish):
    first = start().json()
    finish(first)
    second = start().json()
    assert second["status"] == "pending"
    assert second["id"] != first["id"]


@pytest.mark.parametrize("form", ["%Y%m%d%H%M%z", "%Y-%m-%dT%H:%M:%S%z"])
def test_one_for_later_is_scheduled_and_nobody_waits_for_it(start, form):
    moment = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0, second=0)
    later = start("uninstall", scheduled_time=moment.strftime(form)).json()
    assert later["status"] == "scheduled"
    assert later["scheduled_for"] == moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert start().json()["status"] == "pending"


def test_nothing_begins_beside_what_works_on_the_manager_itself(rest, start, finish, database):
    row = Execution(
        id=str(uuid.uuid4()),
        tenant_id=1,
        workflow_id="update",
        status="started",
        parameters={},
        is_system_workflow=True,
    )
    database.add(row)
    database.commit()
    try:
        answer = start(force="true")
        assert refusal(answer) == (400, "existing_running_execution_error")
        assert "system-wide" in answer.json()["message"]
        assert start(queue="true").json()["status"] == "queued"
    finally:
        finish({"id": row.id})


def test_the_engine_is_told_with_the_commit(start, node, engine):
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        connection.execute(text("LISTEN executions"))
        connection.commit()
        made = start().json()

        def told() -> bool:
            driver.poll()
            return made["id"] in {note.payload for note in driver.notifies}

        # The server passes it on when the transaction is over, which may be after the answer.
        eventually(told, 30, "the engine is told")
        connection.invalidate()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operations", 201), ("user", 201)])
def test_who_may_start_executions(rest, start, name, role, status):
    rest.put("/users", {"username": name, "password": "a password", "role": "default"})
    rest.put("/tenants/users", {"username": name, "tenant_name": "default_tenant", "role": role})
    try:
        assert start(client=rest.as_user(name, "a password")).status_code == status
    finally:
        rest.delete("/tenants/users", {"username": name, "tenant_name": "default_tenant"})
        rest.delete(f"/users/{name}")


def test_nothing_starts_in_maintenance(rest, start):
    rest.post("/maintenance/activate")
    try:
        assert refusal(start()) == (503, "maintenance_mode_active")
    finally:
        rest.post("/maintenance/deactivate")


@pytest.mark.parametrize("status", ["pending", "queued"])
def test_a_deployment_with_one_that_runs_or_is_about_to_is_not_deleted(
    rest, start, finish, deployment, status
):
    finish(start().json(), status)
    assert refusal(rest.delete(f"/deployments/{deployment}")) == (400, "dependent_exists_error")
