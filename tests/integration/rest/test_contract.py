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
    ("DELETE", "/blueprints/nothing?force=", None, JSON, 404, "not_found_error"),
    ("DELETE", "/blueprints/nothing?force=True", None, JSON, 404, "not_found_error"),
    ("DELETE", "/blueprints/nothing?force=perhaps", None, JSON, 400, "bad_parameters_error"),
    ("DELETE", "/deployments/nothing?ignore_live_nodes=", None, JSON, 404, "not_found_error"),
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


@pytest.mark.parametrize("path", ["/status", "/api/version"])
def test_head(rest, path):
    answer = rest.request("HEAD", path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_timestamps(rest):
    assert TIMESTAMP.fullmatch(rest.get("/user").json()["last_login_at"])


def test_the_specification_is_served(rest):
    paths = rest.get("/api/spec").json()["paths"]
    assert {"/api/version", "/api/v3.1/cluster/nodes/{name}", "/api/v3.1/tenants/users"} <= set(paths)
