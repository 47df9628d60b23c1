"""Deployments, from their making to their end, as existing clients ask for it."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from manager.models import Execution
from tests.support.shop import INPUTS, deploy, ids, refusal

pytestmark = pytest.mark.integration

KEYS = {
    *("id", "blueprint_id", "description", "inputs", "outputs", "capabilities", "workflows", "groups"),
    *("scaling_groups", "policy_types", "policy_triggers", "created_at", "updated_at", "site_name"),
    *("visibility", "tenant_name", "created_by", "permalink"),
}


def test_what_is_made_can_be_read(rest, blueprint, name):
    made = deploy(rest, blueprint, name, visibility="tenant", skip_plugins_validation=True)
    assert set(made) >= KEYS
    assert made["inputs"] == {"host": "here", "port": 80}
    assert (made["description"], made["created_by"], made["tenant_name"]) == (
        "A shop",
        "admin",
        "default_tenant",
    )
    assert {"install", "uninstall"} <= {workflow["name"] for workflow in made["workflows"]}
    assert all({"name", "created_at", "parameters"} <= set(it) for it in made["workflows"])
    assert rest.get(f"/deployments/{name}").json() == made
    assert ids(rest.get(f"/deployments?blueprint_id={blueprint}")) == [name]


def test_a_client_that_waits_for_its_environment_finds_that_it_is_made(rest, deployment):
    (execution,) = rest.get(f"/executions?deployment_id={deployment}").json()["items"]
    assert (execution["workflow_id"], execution["status_display"]) == (
        "create_deployment_environment",
        "completed",
    )
    said = rest.get(f"/events?execution_id={execution['id']}&_sort=reported_timestamp").json()["items"]
    assert [event["event_type"] for event in said] == ["workflow_started", "workflow_succeeded"]


def test_its_node_instances_are_those_of_the_plan(rest, deployment):
    nodes = {it["id"]: it for it in rest.get(f"/nodes?deployment_id={deployment}").json()["items"]}
    assert set(nodes) == {"house", "till", "sign"}
    assert (nodes["house"]["number_of_instances"], nodes["till"]["host_id"]) == (2, "house")
    assert nodes["house"]["properties"]["ip"] == "here"
    instances = rest.get(f"/node-instances?deployment_id={deployment}").json()["items"]
    of = {node: [it for it in instances if it["node_id"] == node] for node in nodes}
    assert {node: len(found) for node, found in of.items()} == {"house": 2, "till": 2, "sign": 1}
    houses = {it["id"] for it in of["house"]}
    assert {it["host_id"] for it in of["till"]} == houses
    assert {it["relationships"][0]["target_id"] for it in of["till"]} == houses
    assert {it["state"] for it in instances} == {"uninitialized"}


def test_outputs_and_capabilities_are_evaluated_when_they_are_asked_for(rest, deployment):
    outputs = rest.get(f"/deployments/{deployment}/outputs").json()
    assert outputs["deployment_id"] == deployment
    assert outputs["outputs"]["address"] == "here:80"
    assert "ERROR" in outputs["outputs"]["which"]  # of two houses; the others are told all the same
    (sign,) = rest.get(f"/node-instances?deployment_id={deployment}&node_id=sign").json()["items"]
    change = {"version": 1, "runtime_properties": {"text": "open", "colour": "red"}}
    assert rest.patch(f"/node-instances/{sign['id']}", change).status_code == 200
    assert rest.get(f"/deployments/{deployment}/outputs").json()["outputs"]["text"] == "It says open"
    assert rest.get(f"/deployments/{deployment}/capabilities").json()["capabilities"] == {"colour": "red"}


JSON_WRONG = [
    ({}, 400, "bad_parameters_error"),
    ({"blueprint_id": 7}, 400, "bad_parameters_error"),
    ({"blueprint_id": "nothing"}, 404, "not_found_error"),
    ({"blueprint_id": "a\0b"}, 404, "not_found_error"),
    ({"inputs": {}}, 400, "missing_required_deployment_input_error"),
    ({"inputs": None}, 400, "missing_required_deployment_input_error"),
    ({"inputs": {**INPUTS, "colour": "red"}}, 400, "unknown_deployment_input_error"),
    ({"inputs": {**INPUTS, "port": "eighty"}}, 400, "bad_parameters_error"),
    ({"inputs": {"host": "a\0b"}}, 400, "bad_parameters_error"),
    ({"inputs": []}, 400, "bad_parameters_error"),
    ({"inputs": INPUTS, "visibility": "nobody"}, 400, "bad_parameters_error"),
    ({"inputs": INPUTS, "visibility": "global"}, 400, "illegal_action_error"),
]


@pytest.mark.parametrize(("body", "status", "code"), JSON_WRONG)
def test_what_cannot_be_made(rest, blueprint, name, body, status, code):
    asked = {"blueprint_id": blueprint, **body} if body else {}
    assert refusal(rest.put(f"/deployments/{name}", asked)) == (status, code)
    assert refusal(rest.get(f"/deployments/{name}")) == (404, "not_found_error")


@pytest.mark.parametrize("identifier", ["a%20b", "x" * 257, "%00", "a%2Fb"])
def test_what_it_cannot_be_called(rest, blueprint, identifier):
    answer = rest.put(f"/deployments/{identifier}", {"blueprint_id": blueprint, "inputs": INPUTS})
    assert answer.status_code in {400, 404}


def test_a_second_one_of_the_same_name(rest, blueprint, deployment):
    answer = rest.put(f"/deployments/{deployment}", {"blueprint_id": blueprint, "inputs": INPUTS})
    assert refusal(answer) == (409, "conflict_error")


def test_a_blueprint_in_use_stays(rest, blueprint, deployment):
    assert refusal(rest.delete(f"/blueprints/{blueprint}")) == (400, "dependent_exists_error")


def test_who_waits_for_its_end_finds_what_did_it(rest, deployment):
    gone = rest.delete(f"/deployments/{deployment}")
    assert (gone.status_code, gone.json()["id"]) == (200, deployment)
    answer = rest.get(f"/deployments/{deployment}")
    assert refusal(answer) == (404, "not_found_error")
    assert f"`Deployment` with ID `{deployment}` was not found" in answer.json()["message"]
    assert ids(rest.get(f"/nodes?deployment_id={deployment}")) == []
    assert ids(rest.get(f"/node-instances?deployment_id={deployment}")) == []

    asked = f"/executions?deployment_id={deployment}&_include_system_workflows=False"
    (execution,) = rest.get(asked).json()["items"]
    assert execution["workflow_id"] == "delete_deployment_environment"
    assert rest.get(f"/executions/{execution['id']}").json()["status"] == "terminated"
    said = rest.get(f"/events?execution_id={execution['id']}").json()["items"]
    assert said[-1]["event_type"] == "workflow_succeeded"


def test_its_name_is_free_again_and_its_traces_do_not_add_up(rest, blueprint, deployment):
    for _ in range(2):
        assert rest.delete(f"/deployments/{deployment}").status_code == 200
        deploy(rest, blueprint, deployment)
    found = rest.get(f"/executions?deployment_id={deployment}").json()["items"]
    assert sorted(it["workflow_id"] for it in found) == [
        "create_deployment_environment",
        "delete_deployment_environment",
    ]


def test_one_with_live_nodes_stays_unless_that_is_ignored(rest, deployment):
    (sign,) = rest.get(f"/node-instances?deployment_id={deployment}&node_id=sign").json()["items"]
    rest.patch(f"/node-instances/{sign['id']}", {"version": 1, "state": "started"})
    answer = rest.delete(f"/deployments/{deployment}?ignore_live_nodes=false")
    assert refusal(answer) == (400, "dependent_exists_error")
    assert sign["id"] in answer.json()["message"]
    rest.patch(f"/node-instances/{sign['id']}", {"version": 2, "state": "deleted"})
    rest.patch(f"/node-instances/{sign['id']}", {"version": 3, "state": "started"})
    assert rest.delete(f"/deployments/{deployment}?ignore_live_nodes=True").status_code == 200


def test_one_that_is_worked_on_stays_whatever_is_ignored(rest, deployment, database):
    mine = Execution.deployment_id == deployment
    for status, code in (("started", 400), ("cancelling", 400), ("failed", 200)):
        database.execute(update(Execution).where(mine).values(status=status))
        database.commit()
        answer = rest.delete(f"/deployments/{deployment}?ignore_live_nodes=true")
        assert answer.status_code == code, answer.text


def test_the_visibility_gets_wider_but_not_wider_than_the_blueprints(rest, blueprint, name):
    deploy(rest, blueprint, name, visibility="private")
    where = f"/deployments/{name}/set-visibility"
    assert rest.patch(where, {"visibility": "tenant"}).json()["visibility"] == "tenant"
    assert rest.get(f"/executions?deployment_id={name}").json()["items"][0]["visibility"] == "tenant"
    assert refusal(rest.patch(where, {"visibility": "tenant"})) == (400, "illegal_action_error")
    assert refusal(rest.patch(where, {"visibility": "global"})) == (400, "illegal_action_error")
    assert refusal(rest.patch(where, {"visibility": "private"})) == (400, "bad_parameters_error")
    rest.patch(f"/blueprints/{blueprint}/set-visibility", {"visibility": "global"})
    assert rest.patch(where, {"visibility": "global"}).json()["visibility"] == "global"
