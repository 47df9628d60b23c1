"""The maintenance mode, as clients switch it and meet it."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.orm import Session

from manager.models import Execution, Maintenance
from tests.support.shop import INPUTS, refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

KEYS = {"status", "activated_at", "activation_requested_at", "remaining_executions", "requested_by"}
OFF = {
    "status": "deactivated",
    "activated_at": "",
    "activation_requested_at": "",
    "remaining_executions": None,
    "requested_by": "",
}


@pytest.fixture(autouse=True)
def _off_at_the_end(rest, database):
    yield
    database.rollback()
    database.execute(delete(Maintenance))
    database.commit()


@pytest.fixture
def running(database):
    """An execution that goes on."""
    execution = Execution(
        id=str(uuid.uuid4()), tenant_id=1, workflow_id="install", status="started", parameters={}
    )
    database.add(execution)
    database.commit()
    yield execution
    database.execute(delete(Execution).where(Execution.pk == execution.pk))
    database.commit()


def end(database: Session, execution: Execution) -> None:
    """It has done what it should."""
    database.execute(update(Execution).where(Execution.pk == execution.pk).values(status="terminated"))
    database.commit()


def test_on_and_off(rest):
    assert rest.get("/maintenance").json() == OFF
    on = rest.post("/maintenance/activate")
    assert on.status_code == 200
    assert set(on.json()) == KEYS
    assert (on.json()["status"], on.json()["requested_by"]) == ("activated", "admin")
    assert on.json()["activated_at"].endswith("Z")
    assert rest.get("/maintenance").json() == on.json()
    assert rest.post("/maintenance/deactivate").json() == OFF
    assert rest.get("/maintenance").json() == OFF


def test_what_is_so_already_is_not_modified(rest):
    """As when the answer to the first request was lost."""
    assert rest.post("/maintenance/deactivate").status_code == 304
    rest.post("/maintenance/activate")
    again = rest.post("/maintenance/activate")
    assert (again.status_code, again.content) == (304, b"")


def test_it_waits_for_what_runs(rest, running, database):
    on = rest.post("/maintenance/activate").json()
    assert (on["status"], on["activated_at"]) == ("activating", "")
    (waited_for,) = on["remaining_executions"]
    assert (waited_for["id"], waited_for["status"], waited_for["workflow_id"]) == (
        running.id,
        "started",
        "install",
    )
    assert rest.get("/maintenance").json() == on
    end(database, running)
    settled = rest.get("/maintenance").json()
    assert (settled["status"], settled["remaining_executions"]) == ("activated", None)
    assert settled["activated_at"].endswith("Z")
    assert rest.get("/maintenance").json() == settled


def test_while_it_waits_what_runs_may_write_and_nothing_is_started(
    rest, running, blueprint, deployment, database
):
    (sign,) = rest.get(f"/node-instances?deployment_id={deployment}&node_id=sign").json()["items"]
    rest.post("/maintenance/activate")
    where = f"/node-instances/{sign['id']}"
    assert rest.patch(where, {"version": 1, "state": "started"}).status_code == 200
    new = {"blueprint_id": blueprint, "inputs": INPUTS}
    assert refusal(rest.put(f"/deployments/{deployment}-2", new)) == (503, "maintenance_mode_active")
    assert refusal(rest.delete(f"/deployments/{deployment}")) == (503, "maintenance_mode_active")
    end(database, running)
    # Also before anybody has asked whether it is activated.
    assert refusal(rest.patch(where, {"version": 2})) == (503, "maintenance_mode_active")
    rest.post("/maintenance/deactivate")


CLOSED = [
    ("PUT", "/users", {"username": "x", "password": "a password"}),
    ("DELETE", "/users/nobody", None),
    ("POST", "/tenants/x", None),
    ("PUT", "/tenants/users", {"username": "x", "tenant_name": "x"}),
    ("PUT", "/blueprints/x", None),
    ("DELETE", "/blueprints/x", None),
    ("PUT", "/deployments/x", {"blueprint_id": "x"}),
    ("DELETE", "/deployments/x", None),
    ("PATCH", "/node-instances/x", {"version": 1}),
    ("POST", "/provider/context?update=true", {"name": "x", "context": {}}),
]
OPEN = [
    *(
        "/status",
        "/maintenance",
        "/provider/context",
        "/tokens",
        "/user",
        "/users",
        "/tenants",
        "/blueprints",
    ),
    *("/deployments", "/nodes", "/node-instances", "/executions", "/events", "/agents", "/cluster"),
]


def test_who_writes_is_refused_and_who_reads_is_not(rest):
    rest.post("/maintenance/activate")
    for method, path, body in CLOSED:
        assert refusal(rest.request(method, path, json=body)) == (503, "maintenance_mode_active"), path
    for path in OPEN:
        assert rest.get(path).status_code == 200, path
    assert rest.patch("/cluster", {"paused": True}).status_code == 404  # there is none; but it is open
    nobody = rest.as_user("nobody", "x")
    assert refusal(nobody.delete("/blueprints/x")) == (401, "unauthorized_error")


def test_only_an_administrator_switches_and_everybody_looks(rest, name):
    rest.put("/users", {"username": name, "password": "a password"})
    user = rest.as_user(name, "a password", tenant=None)
    for action in ("activate", "deactivate"):
        assert refusal(user.post(f"/maintenance/{action}")) == (403, "forbidden_error")
    assert user.get("/maintenance").json() == OFF
    assert refusal(rest.post("/maintenance/dance")) in {
        (404, "not_found_error"),
        (405, "method_not_allowed_error"),
    }


def test_what_is_being_started_is_waited_for(rest, blueprint, name, database):
    """Who was let in before the switch is seen by the switch, or is turned away by it."""
    database.execute(text("LOCK TABLE events IN SHARE MODE"))
    with ThreadPoolExecutor(2) as pool:
        body = {"blueprint_id": blueprint, "inputs": INPUTS}
        making = pool.submit(rest.as_user(*rest.user).put, f"/deployments/{name}", body)
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        eventually(lambda: database.scalar(waiting) == 1, 30, "the deployment is nearly made")
        switching = pool.submit(rest.as_user(*rest.user).post, "/maintenance/activate")
        eventually(lambda: database.scalar(waiting) == 2, 30, "the switch waits for it")
        database.rollback()
        assert making.result(60).status_code == 201
        assert switching.result(60).json()["status"] == "activated"
    assert rest.get(f"/deployments/{name}").status_code == 200
    rest.post("/maintenance/deactivate")
