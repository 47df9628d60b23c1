"""Tasks graphs and operations, as programs keep them over REST."""

from __future__ import annotations

import pytest

from tests.support.executions import executions_of
from tests.support.shop import ids, refusal

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def deployment(module_deployment):
    return module_deployment


@pytest.fixture
def executions(database, deployment):
    with executions_of(database, deployment) as executions:
        yield executions


@pytest.fixture
def execution(executions):
    return executions.make("started")


@pytest.fixture
def graph(rest, execution):
    body = {"execution_id": execution, "name": "mine", "operations": None}
    return rest.post("/tasks_graphs/tasks_graphs", body).json()["id"]


def operation(graph: str, **more: object) -> dict[str, object]:
    return {
        "name": "start",
        "graph_id": graph,
        "dependencies": [],
        "type": "RemoteTask",
        "parameters": {"a": 1},
        **more,
    }


def test_a_graph_with_operations_is_stored_and_found(rest, execution, name):
    tasks = [
        {"id": f"{name}-1", "name": "create", "type": "RemoteTask", "parameters": {}, "dependencies": []},
        {"id": f"{name}-2", "name": "start", "type": "NOPLocalWorkflowTask", "dependencies": [f"{name}-1"]},
    ]
    body = {"execution_id": execution, "name": "install", "operations": tasks}
    answer = rest.post("/tasks_graphs/tasks_graphs", body)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["execution_id"], made["name"], made["state"]) == (execution, "install", "building")
    assert ids(rest.get(f"/tasks_graphs?execution_id={execution}&name=install")) == [made["id"]]
    assert ids(rest.get(f"/tasks_graphs?execution_id={execution}&name=other")) == []
    found = rest.get(f"/operations?graph_id={made['id']}&_sort=id").json()["items"]
    assert [(it["id"], it["state"]) for it in found] == [(f"{name}-1", "pending"), (f"{name}-2", "pending")]
    assert found[1]["dependencies"] == [f"{name}-1"]
    assert found[1]["tasks_graph_id"] == made["id"]
    assert ids(rest.get(f"/operations?execution_id={execution}&skip_internal=True")) == [f"{name}-1"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x"}, 400, "bad_parameters_error"),
        ({"execution_id": "nothing", "name": "x"}, 404, "not_found_error"),
        ({"execution_id": None, "name": "x"}, 400, "bad_parameters_error"),
    ],
)
def test_a_graph_that_cannot_be_stored(rest, body, status, code):
    assert refusal(rest.post("/tasks_graphs/tasks_graphs", body)) == (status, code)


def test_an_execution_has_one_graph_of_a_name(rest, execution, graph):
    again = rest.post("/tasks_graphs/tasks_graphs", {"execution_id": execution, "name": "mine"})
    assert refusal(again) == (409, "conflict_error")


def test_the_state_of_a_graph(rest, graph):
    assert rest.patch(f"/tasks_graphs/{graph}", {"state": "failed"}).json()["state"] == "failed"
    assert refusal(rest.patch(f"/tasks_graphs/{graph}", {"state": "lost"})) == (400, "bad_parameters_error")
    assert refusal(rest.patch("/tasks_graphs/none", {"state": "failed"})) == (404, "not_found_error")


def test_the_life_of_an_operation(rest, graph, name):
    path = f"/operations/{name}"
    made = rest.put(path, operation(graph))
    assert (made.status_code, made.json()["parameters"]) == (201, {"a": 1})
    assert refusal(rest.put(path, operation(graph))) == (409, "conflict_error")
    assert rest.patch(path, {"state": "started"}).json()["started_at"] is not None
    body = {"state": "failed", "result": None, "exception": "it broke", "agent_name": "a1"}
    assert rest.patch(path, body).status_code == 200
    found = rest.get(path).json()
    assert (found["state"], found["error"], found["agent_name"]) == ("failed", "it broke", "a1")
    assert found["ended_at"] is not None
    assert rest.patch(path, {"state": "succeeded", "result": [1]}).json()["result"] == [1]
    assert rest.delete(path).json()["id"] == name
    assert refusal(rest.delete(path)) == (404, "not_found_error")
    assert refusal(rest.get(path)) == (404, "not_found_error")


@pytest.mark.parametrize("body", [{}, {"state": "lost"}, {"state": None}])
def test_a_state_that_there_is_not(rest, graph, name, body):
    rest.put(f"/operations/{name}", operation(graph))
    assert refusal(rest.patch(f"/operations/{name}", body)) == (400, "bad_parameters_error")


@pytest.mark.parametrize("missing", ["name", "graph_id", "type"])
def test_an_operation_that_lacks_something(rest, graph, name, missing):
    body = {key: value for key, value in operation(graph).items() if key != missing}
    assert refusal(rest.put(f"/operations/{name}", body)) == (400, "bad_parameters_error")


def test_a_type_that_no_engine_knows(rest, graph, name):
    answer = rest.put(f"/operations/{name}", operation(graph, type="Dance"))
    assert refusal(answer) == (400, "bad_parameters_error")
    assert "RemoteTask" in answer.json()["message"]


def test_only_an_engine_begins_with_a_graph(rest, graph):
    assert refusal(rest.patch(f"/tasks_graphs/{graph}", {"state": "running"})) == (409, "conflict_error")


def test_what_an_engine_carries_out_is_not_changed_meanwhile(rest, executions, execution, graph, name):
    rest.put(f"/operations/{name}", operation(graph))
    executions.set(execution, status="failed")
    rest.patch(f"/tasks_graphs/{graph}", {"state": "running"})
    executions.set(execution, engine="an engine", status="started")
    for answer in (
        rest.patch(f"/operations/{name}", {"state": "succeeded"}),
        rest.delete(f"/operations/{name}"),
        rest.put(f"/operations/{name}-2", operation(graph)),
        rest.patch(f"/tasks_graphs/{graph}", {"state": "failed"}),
    ):
        assert refusal(answer) == (409, "conflict_error")
    executions.set(execution, status="failed")
    assert rest.patch(f"/operations/{name}", {"state": "succeeded"}).status_code == 200


def test_those_of_other_tenants_are_not_there(rest, graph, name):
    rest.put(f"/operations/{name}", operation(graph))
    rest.post(f"/tenants/{name}")
    there = rest.as_user(*rest.user, tenant=name)
    try:
        assert ids(there.get("/tasks_graphs")) == []
        assert ids(there.get("/operations")) == []
        assert refusal(there.get(f"/operations/{name}")) == (404, "not_found_error")
        assert refusal(there.delete(f"/operations/{name}")) == (404, "not_found_error")
    finally:
        rest.delete(f"/tenants/{name}")
