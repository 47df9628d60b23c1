"""Errands for real: the process that checks and enqueues, and the node's own broker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
import redis

from manager import errors
from manager.gateway.sending import send
from orchestrator.formation import emptiness
from orchestrator.formation.progress import Progress
from orchestrator.record import membership
from orchestrator.record.membership import Membership, MembershipState
from tests.support.rest import ManagerNode, stop
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def configured(node: ManagerNode, monkeypatch) -> Iterator[ManagerNode]:
    monkeypatch.setenv("CLOUDIFY_CONFIG", str(node.file))
    yield node
    (node.config.paths.state / "formation.jsonl").unlink(missing_ok=True)


@pytest.fixture
def broker(configured) -> Iterator[redis.Redis]:
    socket = configured.config.paths.redis_socket
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=configured.folder)
    try:
        client = redis.Redis(unix_socket_path=str(socket))
        eventually(lambda: socket.exists() and client.ping(), 30, "Redis answers")
        yield client
    finally:
        stop(process)


def start_request(node: ManagerNode, **changes) -> dict:
    return {"host_ip": node.config.host_ip, "node_name": "n1", "options": {"sync_mode": "async"}, **changes}


def test_a_start_is_checked_and_enqueued(configured, broker):
    assert send("start", start_request(configured)) == {}
    message = json.loads(broker.lpop("cluster"))
    assert message["headers"]["task"] == "formation.start"
    assert message["headers"]["kwargsrepr"] == "{...}"
    lines, error = Progress(configured.config.paths).read()
    assert error is None
    assert len(lines) == 1


def test_a_removal_is_enqueued(configured, broker):
    assert send("remove", {"name": "n3"}) == {}
    assert json.loads(broker.lpop("cluster"))["headers"]["task"] == "formation.remove"


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"host_ip": "localhost"}, errors.BadParameters, "'localhost' is not an IP address"),
        ({"host_ip": "127.93.200.1"}, errors.BadParameters, "configured for"),
        ({"node_name": "a b"}, errors.BadParameters, "node name"),
        ({"options": {"colour": "red"}}, errors.BadParameters, "check_ttl_multiplier"),
    ],
)
def test_what_is_wrong_with_a_start_is_told_and_nothing_is_begun(configured, changes, kind, told):
    with pytest.raises(kind, match=told):
        send("start", start_request(configured, **changes))
    assert Progress(configured.config.paths).read() == ((), None)


def test_a_join_is_checked(configured):
    request = start_request(configured, credentials={}, required={"version": "0"}, join_addrs=["127.93.1.1"])
    with pytest.raises(errors.BadParameters, match="version"):
        send("join", request)


def test_what_is_in_our_tables_counts_as_content(configured, name):
    configured.client().post(f"/tenants/{name}")
    configured.client().put("/users", {"username": name, "password": "a password"})
    found = " ".join(emptiness.contents(configured.config))
    assert "tenant" in found
    assert "user" in found


def test_a_manager_that_was_removed_does_not_start(configured):
    file = configured.config.paths.membership_file
    membership.write(file, Membership(MembershipState.REMOVED, "n1"))
    try:
        with pytest.raises(errors.Conflict, match="removed"):
            send("start", start_request(configured))
    finally:
        file.unlink()


def test_without_the_broker_nothing_is_begun_and_that_is_told(configured):
    with pytest.raises(errors.Unavailable, match="workers"):
        send("start", start_request(configured))
    assert "workers" in (Progress(configured.config.paths).read()[1] or "")


def test_over_rest(configured, broker):
    rest = configured.client()
    answer = rest.put("/cluster", start_request(configured, host_ip="localhost"))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_parameters_error")
    answer = rest.put("/cluster", start_request(configured))
    assert (answer.status_code, answer.json()["initialized"]) == (200, False)
    assert broker.llen("cluster") == 1
    (line,) = rest.get("/cluster?_include=logs,initialized,error").json()["logs"]
    assert "n1" in line["message"]
