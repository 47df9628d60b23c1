"""The gate, by a lease file on disk: who serves, who refuses, who holds."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from manager.gate import Gate, Verdict
from manager.gateway import Gateway
from orchestrator.clients import clock
from orchestrator.config import NodeConfig
from orchestrator.model.snapshot import MembershipState
from orchestrator.paths import Paths
from orchestrator.record import lease_file, membership
from orchestrator.record.lease_file import LeaseState
from orchestrator.record.membership import Membership

HOLD_S = 0.3


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return NodeConfig(paths=Paths(run=tmp_path / "run", state=tmp_path / "state"))


def write_lease(config: NodeConfig, valid_for_s: float = 60.0, **state) -> None:
    lease = LeaseState(member=True, valid_until_s=clock.now_s() + valid_for_s, **state)
    lease_file.write(config.paths.lease_file, lease)


def write_membership(config: NodeConfig, state: MembershipState) -> None:
    membership.write(config.paths.membership_file, Membership(state, "n1"))


async def application(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["method"].encode()})


async def ask(config: NodeConfig, path: str = "/api/v3.1/status", method: str = "GET"):
    """The status and the body of one answer."""
    sent = []

    async def send(message) -> None:
        sent.append(message)

    gate = Gate(application, Gateway(config).verdict, HOLD_S)
    await gate({"type": "http", "method": method, "path": path}, None, send)
    return sent[0]["status"], sent[1]["body"]


def answer(config: NodeConfig, path: str = "/api/v3.1/status") -> tuple[int, bytes]:
    return asyncio.run(ask(config, path))


def error_code(body: bytes) -> str:
    return json.loads(body)["error_code"]


def test_a_manager_without_cluster_serves_before_the_first_tick(config):
    assert answer(config)[0] == 200


def test_a_manager_without_cluster_serves(config):
    lease_file.write(config.paths.lease_file, LeaseState())
    assert answer(config)[0] == 200


def test_the_leader_serves(config):
    write_lease(config, serving=True, settled=True)
    assert answer(config) == (200, b"GET")


def test_a_replica_refuses(config):
    write_lease(config, serving=False, settled=True, leader="n2")
    status, body = answer(config)
    assert status == 400
    assert json.loads(body) == {
        "message": json.loads(body)["message"],
        "error_code": "not_cluster_master",
        "server_traceback": None,
    }
    assert json.loads(body)["message"].endswith("It is not the active manager in the cluster.")


def test_a_removed_member_says_so(config):
    lease_file.write(config.paths.lease_file, LeaseState(member=True, removed=True))
    status, body = answer(config)
    assert (status, error_code(body)) == (400, "removed_from_cluster")
    assert "This node was removed from the Cloudify Manager cluster" in json.loads(body)["message"]


def test_a_lease_that_is_over_is_worth_nothing(config):
    write_lease(config, valid_for_s=-0.001, serving=True, settled=True)
    assert error_code(answer(config)[1]) == "not_cluster_master"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (MembershipState.ALONE, Verdict.ALONE),
        (MembershipState.JOINING, Verdict.ALONE),
        (MembershipState.MEMBER, Verdict.UNDECIDED),
        (MembershipState.REMOVED, Verdict.REMOVED),
    ],
)
@pytest.mark.parametrize("lease", [None, b"", b"{", b"[]", b'{"member": 1, "surprise": 2}'])
def test_without_a_readable_lease_the_membership_decides(config, state, expected, lease):
    write_membership(config, state)
    if lease is not None:
        config.paths.run.mkdir(parents=True)
        config.paths.lease_file.write_bytes(lease)
    assert Gateway(config).verdict() is expected


def test_who_does_not_know_whether_it_is_a_member_does_not_serve(config):
    config.paths.state.mkdir(parents=True)
    config.paths.membership_file.write_text("{")
    assert Gateway(config).verdict() is Verdict.NOT_LEADING


def test_a_request_during_an_election_is_held_until_this_node_leads(config):
    write_lease(config, serving=False, settled=False)

    async def story():
        held = asyncio.create_task(ask(config))
        await asyncio.sleep(HOLD_S / 3)
        assert not held.done()
        write_lease(config, serving=True, settled=True)
        return await held

    assert asyncio.run(story())[0] == 200


def test_a_request_during_an_election_is_refused_once_another_leads(config):
    write_lease(config, serving=False, settled=False)

    async def story():
        held = asyncio.create_task(ask(config))
        await asyncio.sleep(HOLD_S / 3)
        write_lease(config, serving=False, settled=True)
        return await held

    assert error_code(asyncio.run(story())[1]) == "not_cluster_master"


def test_the_hold_is_bounded(config):
    write_lease(config, serving=False, settled=False)
    began_s = time.monotonic()
    assert error_code(answer(config)[1]) == "not_cluster_master"
    assert HOLD_S <= time.monotonic() - began_s < HOLD_S + 1


def test_only_the_version_is_for_everybody(config):
    write_lease(config, serving=False, settled=True)
    assert answer(config, "/api/version")[0] == 200
    for path in ("/api/v3.1/cluster", "/api/v3.1/cluster/nodes", "/api/v3.1/cluster/pause", "/api/spec", "/"):
        assert answer(config, path)[0] == 400


def test_head_is_asked_like_get(config):
    assert asyncio.run(ask(config, method="HEAD")) == (200, b"GET")
