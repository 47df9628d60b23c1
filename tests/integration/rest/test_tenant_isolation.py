"""What a user sees of deployments and what belongs to them, and what he may do in a tenant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from manager.models import Execution, Tenant
from tests.support.rest import RestClient
from tests.support.shop import INPUTS, deploy, ids, refusal

pytestmark = pytest.mark.integration

As = Callable[..., RestClient]


@pytest.fixture
def as_somebody(rest: RestClient, name: str) -> As:
    """A new user with a role in a tenant; ``home`` is a tenant of his own."""

    def make(role: str, tenant: str = "default_tenant") -> RestClient:
        username = f"{name}-{role}-{tenant}"
        assert rest.put("/users", {"username": username, "password": "a password"}).status_code == 201
        body = {"username": username, "tenant_name": tenant, "role": role}
        assert rest.put("/tenants/users", body).status_code == 200
        return rest.as_user(username, "a password", tenant=tenant)

    return make


@pytest.fixture
def elsewhere(rest: RestClient, name: str):
    """Another tenant; it is empty again, and gone, at the end."""
    tenant = f"{name}-tenant"
    rest.post(f"/tenants/{tenant}")
    yield tenant
    answer = rest.delete(f"/tenants/{tenant}")
    assert answer.status_code == 200, answer.text


def of_deployments(client, path):
    """Which deployments the items of a list belong to."""
    key = "id" if path.startswith("/deployments") else "deployment_id"
    return {item[key] for item in client.get(path).json()["items"]}


def test_nothing_is_seen_from_another_tenant(rest, as_somebody, elsewhere, deployment):
    stranger = as_somebody("manager", elsewhere)
    (instance, *_) = ids(rest.get(f"/node-instances?deployment_id={deployment}"))
    (execution,) = ids(rest.get(f"/executions?deployment_id={deployment}"))
    for path in (f"/deployments/{deployment}", f"/node-instances/{instance}", f"/executions/{execution}"):
        assert refusal(stranger.get(path)) == (404, "not_found_error")
        assert rest.get(path).status_code == 200
    for path in (f"/deployments/{deployment}/outputs", f"/deployments/{deployment}/capabilities"):
        assert refusal(stranger.get(path)) == (404, "not_found_error")
    for path in ("/deployments", "/nodes", "/node-instances", "/executions", "/events"):
        for query in ("", "?_all_tenants=true"):
            assert deployment in of_deployments(rest, path + query)
            # What is global, as other tests may have left it, is everybody's.
            assert deployment not in of_deployments(stranger, path + query)
    assert stranger.get("/agents?_all_tenants=true").json()["items"] == []
    assert refusal(stranger.delete(f"/deployments/{deployment}")) == (404, "not_found_error")
    change = {"version": 1, "state": "started"}
    assert refusal(stranger.patch(f"/node-instances/{instance}", change)) == (404, "not_found_error")


def test_what_is_private_is_for_its_maker_and_those_who_manage(rest, as_somebody, blueprint, name):
    maker, colleague, manager = (as_somebody(role) for role in ("user", "viewer", "manager"))
    deploy(maker, blueprint, name, visibility="private")
    for client, seen in ((maker, True), (colleague, False), (manager, True), (rest, True)):
        assert (client.get(f"/deployments/{name}").status_code == 200) is seen
        for path in ("/nodes", "/node-instances", "/executions", "/events"):
            assert bool(client.get(f"{path}?deployment_id={name}&_size=1").json().get("items")) is seen


def test_a_private_blueprint_has_private_deployments(rest, blueprint, name, as_somebody):
    maker = as_somebody("user")
    content = rest.get(f"/blueprints/{blueprint}/archive").content
    own = f"{blueprint}-2"
    assert maker.request("PUT", f"/blueprints/{own}?visibility=private", data=content).status_code == 201
    assert deploy(maker, own, name)["visibility"] == "private"
    wider = {"blueprint_id": own, "inputs": INPUTS, "visibility": "tenant"}
    assert refusal(maker.put(f"/deployments/{name}-2", wider)) == (400, "illegal_action_error")
    assert maker.delete(f"/deployments/{name}").status_code == 200
    assert maker.delete(f"/blueprints/{own}").status_code == 200


def test_what_is_global_is_seen_and_not_changed_from_elsewhere(rest, as_somebody, elsewhere, blueprint, name):
    deploy(rest, blueprint, name)
    for path in (f"/blueprints/{blueprint}", f"/deployments/{name}"):
        rest.patch(f"{path}/set-visibility", {"visibility": "global"})
    stranger = as_somebody("manager", elsewhere)
    assert stranger.get(f"/deployments/{name}").status_code == 200
    assert len(ids(stranger.get(f"/node-instances?deployment_id={name}"))) == 5
    assert refusal(stranger.delete(f"/deployments/{name}")) == (404, "not_found_error")
    # Of its blueprint the stranger may make one of his own, by another name.
    body = {"blueprint_id": blueprint, "inputs": INPUTS}
    assert refusal(stranger.put(f"/deployments/{name}", body)) == (409, "conflict_error")
    assert deploy(stranger, blueprint, f"{name}-2")["tenant_name"] == elsewhere
    assert ids(rest.get(f"/deployments?blueprint_id={blueprint}")) == [name]
    both = rest.get(f"/deployments?blueprint_id={blueprint}&_all_tenants=true&_sort=id")
    assert ids(both) == [name, f"{name}-2"]
    assert refusal(rest.delete(f"/tenants/{elsewhere}")) == (400, "dependent_exists_error")
    assert stranger.delete(f"/deployments/{name}-2").status_code == 200


ROLES = [
    # role, may create and delete, may change node instances
    ("manager", True, True),
    ("user", True, True),
    ("operations", False, True),
    ("viewer", False, False),
]


@pytest.mark.parametrize(("role", "writes", "executes"), ROLES)
def test_what_a_role_may(rest, as_somebody, blueprint, deployment, role, writes, executes):
    user = as_somebody(role)
    body = {"blueprint_id": blueprint, "inputs": INPUTS}
    assert user.put(f"/deployments/{deployment}-2", body).status_code == (201 if writes else 403)
    (sign,) = ids(user.get(f"/node-instances?deployment_id={deployment}&node_id=sign"))
    change = user.patch(f"/node-instances/{sign}", {"version": 1, "state": "started"})
    assert change.status_code == (200 if executes else 403)
    where = f"/deployments/{deployment}"
    assert user.patch(f"{where}/set-visibility", {"visibility": "tenant"}).status_code == (
        400 if writes else 403
    )
    assert user.delete(f"{where}?ignore_live_nodes=true").status_code == (200 if writes else 403)


def test_a_request_for_resources_names_its_tenant(rest):
    answer = rest.get("/deployments", headers={"Tenant": None})
    assert refusal(answer) == (403, "forbidden_error")


def test_a_tenant_stays_while_something_runs_in_it(rest, elsewhere, database):
    """What has ended goes with it."""
    tenant = database.scalar(select(Tenant.id).where(Tenant.name == elsewhere))
    running = Execution(
        id=elsewhere, tenant_id=tenant, workflow_id="create_snapshot", status="started", parameters={}
    )
    database.add(running)
    database.commit()
    assert refusal(rest.delete(f"/tenants/{elsewhere}")) == (400, "dependent_exists_error")
    running.status = "terminated"
    database.commit()
