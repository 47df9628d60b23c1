"""Without a database, and for requests that nobody understands: always the contract's answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from manager import errors
from manager.app import create
from manager.gateway import Gateway, settings_of
from orchestrator.clients import clock
from orchestrator.config import NodeConfig, RestSettings
from orchestrator.paths import Paths
from orchestrator.record import lease_file
from orchestrator.record.lease_file import LeaseState

HOLD_S = 0.3


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    paths = Paths(run=tmp_path / "run", state=tmp_path / "state")
    return NodeConfig(paths=paths, rest=RestSettings(election_hold_s=HOLD_S))


@pytest.fixture
def app(config) -> FastAPI:
    return create(settings_of(config), Gateway(config))


def ask(app: FastAPI, method: str, path: str, *, meanwhile: Callable[[], None] | None = None, **more):
    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://manager") as client:
            asked = asyncio.create_task(client.request(method, path, **more))
            if meanwhile:
                await asyncio.sleep(HOLD_S / 3)
                assert not asked.done()
                meanwhile()
            return await asked

    return asyncio.run(story())


def check(answer: httpx.Response, status: int, error_code: str) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"message", "error_code", "server_traceback"}
    assert answer.json()["error_code"] == error_code
    assert answer.json()["message"]
    return answer.json()["message"]


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/api", "/api/v3.1", "/api/v3.1/nothing", "/docs", "/redoc"]
)
def test_an_unknown_address(app, path):
    check(ask(app, "GET", path), 404, "not_found_error")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/v3.1/status"),
        ("POST", "/api/version"),
        ("PATCH", "/api/v3.1/users"),
        ("BREW", "/api/version"),
    ],
)
def test_a_wrong_method(app, method, path):
    answer = ask(app, method, path)
    check(answer, 405, "method_not_allowed_error")
    assert answer.headers["allow"]


def test_no_credentials(app):
    answer = ask(app, "GET", "/api/v3.1/status")
    check(answer, 401, "unauthorized_error")
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_a_body_of_another_kind(app):
    answer = ask(app, "PUT", "/api/v3.1/users", content="username=x", headers={"content-type": "text/plain"})
    check(answer, 415, "unsupported_content_type_error")
    check(ask(app, "PUT", "/api/v3.1/users"), 415, "unsupported_content_type_error")


def test_a_body_that_is_too_large(app):
    body = b'"' + b"x" * 1024 * 1024 + b'"'
    answer = ask(app, "PUT", "/api/v3.1/users", content=body, headers={"content-type": "application/json"})
    check(answer, 413, "bad_parameters_error")


def test_a_manager_alone_without_database_says_so_at_once(app):
    check(ask(app, "GET", "/api/v3.1/status", auth=("admin", "admin")), 503, "service_unavailable")


def test_the_version_needs_no_database(app):
    assert set(ask(app, "GET", "/api/version").json()) == {
        *("version", "edition", "distribution", "distro_release", "build", "date", "commit")
    }


def lead(config: NodeConfig, *, serving: bool) -> None:
    state = LeaseState(member=True, held=serving, serving=serving, valid_until_s=clock.now_s() + 60)
    lease_file.write(config.paths.lease_file, state)


def test_a_leader_without_database_that_stops_leading_sends_clients_on(app, config):
    lead(config, serving=True)
    answer = ask(
        app,
        "GET",
        "/api/v3.1/status",
        auth=("admin", "admin"),
        meanwhile=lambda: lead(config, serving=False),
    )
    check(answer, 400, "not_cluster_master")


def test_a_leader_without_database_that_goes_on_leading_is_broken(app, config):
    lead(config, serving=True)
    check(ask(app, "GET", "/api/v3.1/status", auth=("admin", "admin")), 503, "service_unavailable")


@pytest.mark.parametrize(
    ("error", "status", "error_code"),
    [
        (errors.BadParameters("x"), 400, "bad_parameters_error"),
        (errors.NoSuchIncludeField("x"), 400, "no_such_include_field_error"),
        (errors.IllegalAction("x"), 400, "illegal_action_error"),
        (errors.Unauthorized("x"), 401, "unauthorized_error"),
        (errors.Forbidden("x"), 403, "forbidden_error"),
        (errors.NotFound.of("User", "x"), 404, "not_found_error"),
        (errors.MethodNotAllowed("x"), 405, "method_not_allowed_error"),
        (errors.Conflict("x"), 409, "conflict_error"),
        (errors.UnsupportedContentType("x"), 415, "unsupported_content_type_error"),
        (ZeroDivisionError("a secret"), 500, "internal_server_error"),
    ],
)
def test_every_error_is_worded_by_the_contract(app, error, status, error_code):
    @app.get("/fail")
    def fail() -> None:
        raise error

    message = check(ask(app, "GET", "/fail"), status, error_code)
    assert "secret" not in message


def test_not_found_is_worded_as_clients_know_it():
    assert str(errors.NotFound.of("User", "x")) == "Requested `User` with ID `x` was not found"
