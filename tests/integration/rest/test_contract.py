"""What existing clients send, and what they need back: tables from the REST contract, asked for real."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl

import pytest

from tests.support.rest import ADMIN, ManagerNode, RestClient

pytestmark = pytest.mark.integration

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
USER = {
    *("username", "role", "groups", "tenants", "active", "is_locked", "last_login_at"),
    "group_system_roles",
}

KEYS = [
    ("/status", {"status", "services"}),
    (
        "/maintenance",
        {"status", "activated_at", "activation_requested_at", "remaining_executions", "requested_by"},
    ),
    ("/provider/context", {"name", "context"}),
    ("/tokens", {"username", "value", "role"}),
    ("/user", USER),
    ("/users/admin", USER),
    ("/users/admin?_get_data=true", USER | {"tenant_roles"}),
    ("/tenants/default_tenant", {"name", "groups", "users", "user_roles"}),
    ("/cluster", {"initialized"}),
    ("/cluster?_include=logs,initialized,error", {"logs", "initialized", "error"}),
    ("/cluster?_include=logs,initialized,error&since=17", {"logs", "initialized", "error"}),
]


@pytest.mark.parametrize(("path", "keys"), KEYS)
def test_the_keys_that_clients_need(rest: RestClient, path, keys):
    answer = rest.get(path)
    assert answer.status_code == 200
    assert keys <= set(answer.json())


def test_the_version_needs_nobody(rest):
    answer = rest.as_user(None, tenant=None).get("/api/version")
    assert answer.status_code == 200
    assert {"version", "edition", "distribution", "distro_release", "build", "date", "commit"} <= set(
        answer.json()
    )


def test_not_in_a_cluster(rest):
    assert rest.get("/cluster").json() == {"initialized": False}
    assert (rest.get("/cluster/nodes").status_code, error_code(rest.get("/cluster/nodes"))) == (
        404,
        "not_found_error",
    )


def test_the_maintenance_mode_is_off(rest):
    assert rest.get("/maintenance").json()["status"] == "deactivated"


def error_code(answer) -> str:
    body = answer.json()
    assert set(body) == {"message", "error_code", "server_traceback"}
    assert answer.headers["content-type"] == "application/json"
    return body["error_code"]


JSON = "application/json"
WRONG = [
    # method, path, body, content type, status, error code
    ("GET", "/nothing", None, JSON, 404, "not_found_error"),
    ("GET", "/users/nobody", None, JSON, 404, "not_found_error"),
    ("GET", "/tenants/nothing", None, JSON, 404, "not_found_error"),
    ("DELETE", "/users/nobody", None, JSON, 404, "not_found_error"),
    ("DELETE", "/tenants/nothing", None, JSON, 404, "not_found_error"),
    ("POST", "/users/nobody", '{"role": "default"}', JSON, 404, "not_found_error"),
    ("POST", "/users/active/nobody", '{"action": "activate"}', JSON, 404, "not_found_error"),
    ("GET", "/users/a%00b", None, JSON, 404, "not_found_error"),
    ("GET", "/tenants/%ff", None, JSON, 404, "not_found_error"),
    ("DELETE", "/status", None, JSON, 405, "method_not_allowed_error"),
    ("PUT", "/users", "username=x", "text/plain", 415, "unsupported_content_type_error"),
    ("PUT", "/users", "{}", "application/x-www-form-urlencoded", 415, "unsupported_content_type_error"),
    ("PUT", "/users", "{", JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", "", JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", "[]", JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", "null", JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", "{}", JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": "x"}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": 7, "password": "a password"}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": "x", "password": ""}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": "x", "password": "\\ud800"}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": "a b", "password": "a password"}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": "a:b", "password": "a password"}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/users", '{"username": "x\\n", "password": "a password"}', JSON, 400, "bad_parameters_error"),
    (
        "PUT",
        "/users",
        '{"username": "x", "password": "a password", "role": "king"}',
        JSON,
        400,
        "bad_parameters_error",
    ),
    (
        "PUT",
        "/users",
        '{"username": "x", "password": "a password", "role": "viewer"}',
        JSON,
        400,
        "bad_parameters_error",
    ),
    ("PUT", "/users", '{"username": "Admin", "password": "a password"}', JSON, 409, "conflict_error"),
    ("POST", "/users/admin", "{}", JSON, 400, "bad_parameters_error"),
    (
        "POST",
        "/users/admin",
        '{"role": "default", "password": "a password"}',
        JSON,
        400,
        "bad_parameters_error",
    ),
    ("POST", "/users/admin", '{"role": "default"}', JSON, 400, "illegal_action_error"),
    ("POST", "/users/active/admin", '{"action": "deactivate"}', JSON, 400, "illegal_action_error"),
    ("POST", "/users/active/admin", '{"action": "activate"}', JSON, 409, "conflict_error"),
    ("POST", "/users/active/admin", '{"action": "dance"}', JSON, 400, "bad_parameters_error"),
    ("DELETE", "/users/admin", None, JSON, 400, "illegal_action_error"),
    ("POST", "/tenants/default_tenant", None, JSON, 409, "conflict_error"),
    ("POST", "/tenants/users", None, JSON, 400, "bad_parameters_error"),
    ("POST", "/tenants/a%20b", None, JSON, 400, "bad_parameters_error"),
    ("POST", "/tenants/" + "x" * 257, None, JSON, 400, "bad_parameters_error"),
    ("DELETE", "/tenants/default_tenant", None, JSON, 400, "illegal_action_error"),
    ("PUT", "/tenants/users", '{"username": "admin"}', JSON, 400, "bad_parameters_error"),
    ("PUT", "/tenants/users", '{"username": "admin", "tenant_name": "no"}', JSON, 404, "not_found_error"),
    (
        *("PUT", "/tenants/users", '{"username": "admin", "tenant_name": "default_tenant"}'),
        *(JSON, 409, "conflict_error"),
    ),
    ("DELETE", "/tenants/users", "", JSON, 400, "bad_parameters_error"),
    ("GET", "/users?_include=username,colour", None, JSON, 400, "no_such_include_field_error"),
    ("GET", "/users/admin?_include=colour", None, JSON, 400, "no_such_include_field_error"),
    ("GET", "/cluster?_include=colour", None, JSON, 400, "no_such_include_field_error"),
    ("GET", "/users?_size=-1", None, JSON, 400, "bad_parameters_error"),
    ("GET", "/users?_sort=colour", None, JSON, 400, "bad_parameters_error"),
    ("GET", "/users?colour=red", None, JSON, 400, "bad_parameters_error"),
    ("GET", "/users?username=a%00b", None, JSON, 400, "bad_parameters_error"),
    ("PUT", "/cluster", '{"host_ip": "127.0.0.1"}', JSON, 400, "bad_parameters_error"),
    ("PATCH", "/cluster", "{}", JSON, 400, "bad_parameters_error"),
    ("PATCH", "/cluster", '{"master": "n1"}', JSON, 404, "not_found_error"),
    ("PATCH", "/cluster", '{"paused": "true"}', JSON, 404, "not_found_error"),
    ("PATCH", "/cluster/nodes/n1", "{}", JSON, 400, "bad_parameters_error"),
]


@pytest.mark.parametrize(("method", "path", "body", "kind", "status", "code"), WRONG)
def test_what_is_refused(rest, method, path, body, kind, status, code):
    answer = rest.request(method, path, data=body, headers={"Content-type": kind})
    assert (answer.status_code, error_code(answer)) == (status, code), answer.text


def test_a_model_that_is_not_there_is_named_as_clients_know_it(rest):
    assert rest.get("/users/x").json()["message"] == "Requested `User` with ID `x` was not found"


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
    assert (answer.status_code, error_code(answer)) == (401, "unauthorized_error")


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
    assert (answer.status_code, error_code(answer)) == (403, "forbidden_error")


def test_a_tenant_that_is_not_the_users(rest, name):
    rest.put("/users", {"username": name, "password": "a password"})
    user = rest.as_user(name, "a password")
    answer = user.get("/status")
    assert (answer.status_code, error_code(answer)) == (403, "forbidden_error")
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
        assert (answer.status_code, error_code(answer)) == (403, "forbidden_error"), (method, path)
    assert rest.get("/users/x").status_code == 404


def test_status_over_http_1_0_without_tenant(node: ManagerNode):
    """As a load balancer asks."""
    text = base64.b64encode(":".join(ADMIN).encode()).decode()
    context = ssl.create_default_context(cafile=node.config.paths.ssl / "ca.pem")
    address = (node.config.host_ip, node.config.ports.rest)
    with (
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as it,
    ):
        it.sendall(f"GET /api/v3.1/status HTTP/1.0\r\nAuthorization: Basic {text}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: it.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] == b"200"
    assert json.loads(body)["status"] == "running"


def test_what_is_not_http(node: ManagerNode):
    context = ssl.create_default_context(cafile=node.config.paths.ssl / "ca.pem")
    address = (node.config.host_ip, node.config.ports.rest)
    with (
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as it,
    ):
        it.sendall(b"\x00\x01 nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: it.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"] == "bad_parameters_error"


def test_head(rest):
    answer = rest.request("HEAD", "/status")
    assert (answer.status_code, answer.content) == (200, b"")


def test_timestamps(rest):
    assert TIMESTAMP.fullmatch(rest.get("/user").json()["last_login_at"])


def test_the_specification_is_served(rest):
    paths = rest.get("/api/spec").json()["paths"]
    assert {"/api/version", "/api/v3.1/cluster/nodes/{name}", "/api/v3.1/tenants/users"} <= set(paths)
