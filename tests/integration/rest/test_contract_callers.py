"""Who existing clients say they are: tables from the REST contract, asked for real."""

from __future__ import annotations

import base64

import pytest

from tests.support.shop import refusal

pytestmark = pytest.mark.integration

NOBODY = [
    {"Authorization": None},
    {"Authorization": "Basic " + base64.b64encode(b"admin:wrong").decode()},
    {"Authorization": "Basic " + base64.b64encode(b"nobody:wrong").decode()},
    {"Authorization": "Basic " + base64.b64encode("ädmin:\N{SNOWMAN}".encode()).decode()},
    {"Authorization": "Basic !"},
    {"Authorization": "Bearer x"},
    {"Authorization": None, "Authentication-Token": "x"},
    {"Authorization": None, "Authentication-Token": "0" * 32 + "-" + "0" * 64},
    {"Authentication-Token": "wrong"},
]


@pytest.mark.parametrize("headers", NOBODY)
def test_who_is_not_recognised(rest, headers):
    answer = rest.get("/status", headers=headers)
    assert refusal(answer) == (401, "unauthorized_error")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_both_alphabets(rest, name, encode):
    password = "\N{LATIN SMALL LETTER Y WITH DIAERESIS}>>>???~~~"
    assert rest.put("/users", {"username": name, "password": password}).status_code == 201
    text = encode(f"{name}:{password}".encode()).decode()
    assert set(text) & set("+/-_")
    answer = rest.get("/user", headers={"Authorization": f"Basic {text}", "Tenant": None})
    assert answer.json()["username"] == name


def test_a_token_is_as_good_as_a_password_and_stays_the_same(rest):
    token = rest.get("/tokens").json()
    assert (token["username"], token["role"]) == ("admin", "sys_admin")
    assert rest.get("/tokens").json() == token
    bearer = rest.as_user(None, headers={"Authentication-Token": token["value"]})
    assert bearer.get("/user").json()["username"] == "admin"


@pytest.mark.parametrize("tenant", ["nothing", "a\tb", "DEFAULT_TENANT"])
def test_an_unknown_tenant(rest, tenant):
    answer = rest.get("/status", headers={"Tenant": tenant})
    assert refusal(answer) == (403, "forbidden_error")


def test_a_tenant_that_is_not_the_users(rest, name):
    rest.put("/users", {"username": name, "password": "a password"})
    user = rest.as_user(name, "a password")
    answer = user.get("/status")
    assert refusal(answer) == (403, "forbidden_error")
    rest.put("/tenants/users", {"username": name, "tenant_name": "default_tenant", "role": "viewer"})
    assert user.get("/status").status_code == 200


ADMINS_ONLY = [
    ("GET", "/users", None),
    ("PUT", "/users", {"username": "x", "password": "a password"}),
    ("GET", "/users/admin", None),
    ("DELETE", "/users/admin", None),
    ("POST", "/users/admin", {"password": "a password"}),
    ("POST", "/users/active/admin", {"action": "deactivate"}),
    ("POST", "/tenants/x", None),
    ("DELETE", "/tenants/x", None),
    ("GET", "/tenants/default_tenant", None),
    ("PUT", "/tenants/users", {"username": "admin", "tenant_name": "default_tenant"}),
    ("PATCH", "/tenants/users", {"username": "admin", "tenant_name": "default_tenant", "role": "user"}),
    ("DELETE", "/tenants/users", {"username": "admin", "tenant_name": "default_tenant"}),
    ("GET", "/cluster", None),
    ("PUT", "/cluster", {"host_ip": "127.0.0.1", "node_name": "n1"}),
    ("PATCH", "/cluster", {"master": "n1"}),
    ("PUT", "/cluster/pause", None),
    ("DELETE", "/cluster/pause", None),
    ("GET", "/cluster/history", None),
    ("GET", "/cluster/plan", None),
    ("GET", "/cluster/nodes", None),
    ("GET", "/cluster/nodes/n1", None),
    ("PUT", "/cluster/nodes/n1", {"host_ip": "127.0.0.1"}),
    ("PATCH", "/cluster/nodes/n1", {"sync_mode": "async"}),
    ("DELETE", "/cluster/nodes/n1", None),
]


def test_what_only_an_administrator_may(rest, name):
    rest.put("/users", {"username": name, "password": "a password"})
    user = rest.as_user(name, "a password", tenant=None)
    for method, path, body in ADMINS_ONLY:
        answer = user.request(method, path, json=body)
        assert refusal(answer) == (403, "forbidden_error"), (method, path)
    assert rest.get("/users/x").status_code == 404
