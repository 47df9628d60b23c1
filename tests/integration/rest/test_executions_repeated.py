"""A client whose connection dropped starts again, here or at another leader: the workflow runs once."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import uuid
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from manager.gateway import Gateway
from manager.routes.execution_starting import Start
from tests.support.executions import executions_of
from tests.support.rest import ADMIN
from tests.support.shop import refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def executions(database, deployment):
    with executions_of(database, deployment) as executions:
        yield executions


@pytest.fixture
def body(deployment):
    return {"deployment_id": deployment, "workflow_id": "install"}


@pytest.fixture(scope="module")
def next_leader(node):
    """Another process on the same database, as after a failover."""
    return lambda: node.start_in_thread(Gateway(node.config))


def test_the_next_leader_answers_a_repeat_like_the_first_one(rest, next_leader, body, executions):
    first = rest.post("/executions", body).json()
    there = next_leader()
    again = there.post("/executions", body)
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    # Answered here by now: whoever asks once more knows of it.
    assert refusal(there.post("/executions", body)) == (400, "existing_running_execution_error")


@pytest.mark.parametrize(
    "change",
    [
        {"workflow_id": "uninstall"},
        {"dry_run": "true"},
        {"parameters": {"more": 1}, "allow_custom_parameters": True},
        {"timeout_s": 5},
    ],
)
def test_what_is_not_the_same_is_no_repeat(rest, next_leader, body, executions, change):
    first = rest.post("/executions", {**body, "force": True}).json()
    other = next_leader().post("/executions", {**body, "force": True, **change})
    assert other.status_code == 201
    assert other.json()["id"] != first["id"]


@pytest.mark.parametrize(
    ("status", "age", "is_repeat"),
    [
        ("started", timedelta(minutes=9), True),
        ("started", timedelta(minutes=11), False),
        ("failed", timedelta(seconds=30), True),
        ("failed", timedelta(minutes=2), False),
    ],
)
def test_how_old_the_first_one_may_be(rest, next_leader, body, executions, status, age, is_repeat):
    """Who starts what ended a while ago wants it to run again."""
    body = {**body, "force": "true"}
    first = rest.post("/executions", body).json()
    executions.set(first["id"], status=status, created_at=datetime.now(UTC) - age)
    again = next_leader().post("/executions", body).json()
    assert (again["id"] == first["id"]) is is_repeat


def test_here_each_one_that_was_answered_counts(rest, body, executions):
    queued = [rest.post("/executions", {**body, "queue": "true"}).json() for _ in range(3)]
    assert len({one["id"] for one in queued}) == 3
    assert [one["status"] for one in queued] == ["pending", "queued", "queued"]


def test_with_an_id_of_the_client_there_is_no_doubt(rest, next_leader, body, executions):
    body = {**body, "id": str(uuid.uuid4())}
    for client in (rest, rest, next_leader()):
        answer = client.post("/executions", body)
        assert (answer.status_code, answer.json()["id"]) == (201, body["id"])
    other = rest.post("/executions", {**body, "workflow_id": "uninstall"})
    assert refusal(other) == (409, "conflict_error")


def test_a_client_that_hung_up_before_the_answer_may_ask_again(rest, node, body, executions):
    content = json.dumps(body).encode()
    who = b64encode(":".join(ADMIN).encode()).decode()
    head = (
        f"POST /api/v3.1/executions HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {who}\r\n"
        "Tenant: default_tenant\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    context = ssl.create_default_context(cafile=node.config.paths.ssl / "ca.pem")
    address = (node.config.host_ip, node.config.ports.rest)
    with (
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as connection,
    ):
        connection.sendall(head.encode() + content)
    path = f"/executions?deployment_id={body['deployment_id']}&workflow_id=install"
    eventually(lambda: len(rest.get(path).json()["items"]) == 1, 30, "the execution is there")
    (first,) = rest.get(path).json()["items"]
    assert rest.post("/executions", body).json()["id"] == first["id"]


def test_of_many_at_once_one_runs(rest, body, executions):
    """They are different clients, each of which would know of its own."""
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(rest.as_user(*rest.user).post, "/executions", body) for _ in range(6)]
        codes = sorted(answer.result().status_code for answer in asked)
    assert codes == [201] + [400] * 5


def test_what_another_client_is_about_to_be_told_is_no_repeat(next_leader, body, executions, monkeypatch):
    """It has been stored already, but its answer is still on its way."""
    commit, stored, go_on = Start.commit, threading.Event(), threading.Event()

    def slow_once(start, slot):
        answer = commit(start, slot)
        if not stored.is_set():
            stored.set()
            assert go_on.wait(30)
        return answer

    monkeypatch.setattr(Start, "commit", slow_once)
    there, body = next_leader(), {**body, "queue": "true"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(there.as_user(*there.user).post, "/executions", body)
        assert stored.wait(30)
        second = there.post("/executions", body).json()
        go_on.set()
        assert first.result(60).json()["id"] != second["id"]
