"""The cluster over REST: a real service, a Consul in memory, and errands that are only noted."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from manager import errors
from manager.gateway import Gateway
from orchestrator.clients import clock
from orchestrator.clients.consul import Consul
from orchestrator.clients.services import MemoryServices
from orchestrator.formation.progress import Progress
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.history import HistoryEntry
from orchestrator.model.lsn import Lsn, Position
from orchestrator.model.snapshot import (
    ClusterView,
    Lease,
    Member,
    MembershipState,
    NodeStatus,
    Role,
    Switchover,
)
from orchestrator.model.spec import Options
from orchestrator.record import lease_file, membership
from orchestrator.record.lease_file import LeaseState
from orchestrator.record.membership import Membership
from tests.support.rest import ManagerNode, RestClient

pytestmark = pytest.mark.integration

ALL_CHECKS = frozenset({"database", "services", "consul", "heartbeat", "guard"})
JOIN = {"credentials": {"secret": 1}, "required": {"version": "1"}, "join_addrs": ["127.0.0.1"]}


class MemoryConsul:
    """As much of Consul's client as the gateway uses."""

    def __init__(self) -> None:
        names = {"n1": "127.93.1.1", "n2": "127.93.1.2", "n3": "127.93.1.3"}
        self.now = ClusterView(
            lease=Lease("n1", "session", 7, 70),
            members={
                name: Member(name, address, options=Options().as_dict()) for name, address in names.items()
            },
            statuses={
                "n1": NodeStatus("n1", "leading", Role.PRIMARY, Position(2, Lsn(1000))),
                "n2": NodeStatus("n2", "following", Role.STANDBY, Position(2, Lsn(900)), "n1", ("Follow.",)),
            },
        )
        self.passing = {"n1": ALL_CHECKS, "n2": ALL_CHECKS - {"services"}}
        self.entries = tuple(
            HistoryEntry(1492431156.626 + n, "n1", "started", f"entry {n}", n, 7) for n in range(1, 31)
        )
        self.down = False

    def view(self) -> ClusterView:
        if self.down:
            raise ConsulUnavailable("no leader")
        return self.now

    def health(self) -> Mapping[str, frozenset[str]]:
        return self.passing

    def consul_leader(self) -> str:
        return "127.93.1.1:8300"

    def put_switchover(self, session: str | None, switchover: Switchover) -> None:
        assert session is None
        self.now = replace(self.now, switchover=switchover)

    def set_paused(self, paused: bool) -> None:  # noqa: FBT001
        self.now = replace(self.now, paused=paused)

    def update_options(self, name: str, options: Mapping[str, object]) -> None:
        member = replace(self.now.members[name], options=dict(options))
        self.now = replace(self.now, members={**self.now.members, name: member})

    def history(self, limit: int) -> tuple[HistoryEntry, ...]:
        return self.entries[-limit:]


class Errands:
    """What was asked for; ``refusal`` is what the next one comes to."""

    def __init__(self) -> None:
        self.run: list[tuple[str, dict[str, Any]]] = []
        self.refusal: Exception | None = None

    def __call__(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        self.run.append((name, request))
        if self.refusal is not None:
            raise self.refusal
        return {"credentials": {"secret": 1}, "required": {"version": "1"}} if name == "invite" else {}


@pytest.fixture
def consul() -> MemoryConsul:
    return MemoryConsul()


@pytest.fixture
def errands() -> Errands:
    return Errands()


@pytest.fixture(scope="module")
def service(node: ManagerNode) -> tuple[Gateway, RestClient]:
    services = MemoryServices({"postgresql", "consul"}, {"postgresql"})
    gateway = Gateway(node.config, services=services)
    return gateway, node.start_in_thread(gateway)


@pytest.fixture
def alone(node: ManagerNode, service, consul, errands) -> Iterator[RestClient]:
    """A service whose manager is in no cluster."""
    gateway, client = service
    gateway._new_consul, gateway.errand, gateway._asked = (lambda: consul), errands, None
    yield client
    for file in (node.config.paths.membership_file, node.config.paths.lease_file):
        file.unlink(missing_ok=True)
    (node.config.paths.state / "formation.jsonl").unlink(missing_ok=True)


@pytest.fixture
def rest(node: ManagerNode, alone: RestClient) -> RestClient:
    """The service of the leader n1."""
    membership.write(node.config.paths.membership_file, Membership(MembershipState.MEMBER, "n1"))
    valid_until_s = clock.now_s() + 600
    lease = LeaseState(member=True, held=True, serving=True, valid_until_s=valid_until_s, leader="n1", term=7)
    lease_file.write(node.config.paths.lease_file, lease)
    return alone


def test_the_consul_in_memory_is_asked_like_the_real_one():
    for name, method in inspect.getmembers(MemoryConsul, inspect.isfunction):
        if not name.startswith("_"):
            real = inspect.signature(getattr(Consul, name)).parameters.values()
            assert [(it.name, it.kind) for it in inspect.signature(method).parameters.values()] == [
                (it.name, it.kind) for it in real
            ]


def refused(answer, status: int, error_code: str) -> str:
    assert (answer.status_code, answer.json()["error_code"]) == (status, error_code), answer.text
    return answer.json()["message"]


def test_the_state(rest):
    state = rest.get("/cluster").json()
    assert state["initialized"] is True
    assert state["consul"] == {"leader": "127.93.1.1:8300"}
    assert not {"logs", "error"} & set(state)
    assert (state["leader"], state["term"], state["paused"]) == ("n1", 7, False)
    asked = rest.get("/cluster?_include=logs,initialized,error").json()
    assert asked == {"initialized": True, "error": None, "logs": []}


def test_the_state_while_consul_has_no_leader(rest, consul):
    consul.down = True
    state = rest.get("/cluster").json()
    assert (state["initialized"], state["leader"], state["consul"]) == (True, "n1", {"leader": ""})
    refused(rest.get("/cluster/nodes"), 503, "service_unavailable")


def test_the_nodes(rest):
    answer = rest.get("/cluster/nodes").json()
    assert answer["metadata"]["pagination"]["total"] == 3
    n1, n2, n3 = answer["items"]
    assert n1 == {
        "name": "n1",
        "host_ip": "127.93.1.1",
        "public_ip": None,
        "initialized": True,
        "online": True,
        "master": True,
        "checks": {"database": True, "services": True, "consul": True, "heartbeat": True},
        "options": Options().as_dict(),
        "situation": "leading",
        "role": "primary",
        "upstream": None,
        "lag": 0,
        "files": None,
        "version": "",
    }
    assert (n2["online"], n2["master"], n2["checks"]["services"], n2["lag"]) == (True, False, False, 100)
    assert (n3["online"], n3["master"], n3["initialized"], n3["lag"]) == (False, False, False, None)
    assert n3["checks"] == {"database": False, "services": False, "consul": False, "heartbeat": False}
    assert rest.get("/cluster/nodes/n2").json() == n2
    assert [it["name"] for it in rest.get("/cluster/nodes?online=true&_sort=-name").json()["items"]] == [
        "n2",
        "n1",
    ]
    message = refused(rest.get("/cluster/nodes/n9"), 404, "not_found_error")
    assert message == "Requested `Node` with ID `n9` was not found"


def test_nobody_is_master_while_the_lease_is_free(rest, consul):
    consul.now = replace(consul.now, lease=Lease("n1", None, 7, 71))
    assert not any(node["master"] for node in rest.get("/cluster/nodes").json()["items"])


def test_set_active(rest, consul):
    assert rest.patch("/cluster", {"master": "n2"}).json()["initialized"] is True
    assert consul.now.switchover == Switchover(term=7, target="n2")
    # Again, from a client whose connection broke.
    assert rest.patch("/cluster", {"master": "n2"}).status_code == 200
    consul.passing = {**consul.passing, "n3": ALL_CHECKS}
    refused(rest.patch("/cluster", {"master": "n3"}), 409, "conflict_error")
    # The wish of an older term hinders nobody.
    consul.now = replace(consul.now, lease=replace(consul.now.lease, term=8))
    assert rest.patch("/cluster", {"master": "n3"}).status_code == 200
    assert consul.now.switchover == Switchover(term=8, target="n3")


def test_set_active_where_it_makes_no_sense(rest, consul):
    refused(rest.patch("/cluster", {"master": "n9"}), 404, "not_found_error")
    assert "leader" in refused(rest.patch("/cluster", {"master": "n1"}), 400, "illegal_action_error")
    assert "offline" in refused(rest.patch("/cluster", {"master": "n3"}), 400, "illegal_action_error")
    consul.now = replace(consul.now, paused=True)
    assert "paused" in refused(rest.patch("/cluster", {"master": "n2"}), 400, "illegal_action_error")
    assert consul.now.switchover is None


def test_pause_and_resume(rest, consul):
    for pause, resume in (
        (lambda: rest.put("/cluster/pause"), lambda: rest.delete("/cluster/pause")),
        (
            lambda: rest.patch("/cluster", {"paused": True}),
            lambda: rest.patch("/cluster", {"paused": "False"}),
        ),
    ):
        assert pause().json()["paused"] is True
        assert consul.now.paused
        assert resume().json()["paused"] is False
        assert not consul.now.paused


def test_options(rest, consul):
    changed = rest.patch("/cluster/nodes/n2", {"check_ttl_multiplier": "2", "check_fail_fast": "False"})
    assert changed.status_code == 200
    expected = {**Options().as_dict(), "check_ttl_multiplier": 2.0, "check_fail_fast": False}
    assert changed.json()["options"] == expected == consul.now.members["n2"].options
    assert rest.patch("/cluster/nodes/n2", {"check_fail_fast": True}).json()["options"]["check_fail_fast"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"colour": "red"}, "check_ttl_multiplier"),
        ({"check_ttl_multiplier": "many"}, "a number from"),
        ({"minority_mode": "party"}, "read_only"),
        ({"sync_mode": 1}, "quorum"),
    ],
)
def test_options_that_there_are_not(rest, options, told):
    assert told in refused(rest.patch("/cluster/nodes/n2", options), 400, "bad_parameters_error")
    refused(rest.patch("/cluster/nodes/n9", {"sync_mode": "async"}), 404, "not_found_error")


def test_remove(rest, errands):
    answer = rest.delete("/cluster/nodes/n3")
    assert (answer.status_code, answer.json()["name"]) == (200, "n3")
    assert errands.run == [("remove", {"name": "n3"})]


def test_remove_the_leader_or_nobody(rest, errands):
    refused(rest.delete("/cluster/nodes/n1"), 400, "illegal_action_error")
    refused(rest.delete("/cluster/nodes/n9"), 404, "not_found_error")
    assert errands.run == []


def test_an_invitation(rest, errands):
    body = {"host_ip": "127.93.1.4", "node_name": "n4"}
    node = rest.put("/cluster/nodes/n4", body).json()
    assert (node["name"], node["host_ip"], node["online"], node["master"]) == (
        "n4",
        "127.93.1.4",
        False,
        False,
    )
    assert (node["credentials"], node["required"]) == ({"secret": 1}, {"version": "1"})
    assert errands.run == [("invite", {"name": "n4", "host_ip": "127.93.1.4"})]
    refused(rest.put("/cluster/nodes/n5", body), 400, "bad_parameters_error")
    errands.refusal = errors.Conflict("taken")
    assert (
        refused(rest.put("/cluster/nodes/n2", {**body, "node_name": "n2"}), 409, "conflict_error") == "taken"
    )


def test_no_node_shows_credentials_otherwise(rest):
    for node in rest.get("/cluster/nodes").json()["items"]:
        assert not {"credentials", "required"} & set(node)


def test_the_history_is_told_newest_first(rest):
    answer = rest.get("/cluster/history?_size=2").json()
    assert [entry["number"] for entry in answer["items"]] == [30, 29]
    assert answer["metadata"]["pagination"]["total"] == 30
    assert answer["items"][-1]["at"] == "2017-04-17T12:13:05.626Z"
    assert [it["number"] for it in rest.get("/cluster/history?_sort=number&_size=1").json()["items"]] == [1]


def test_the_plan(rest):
    assert rest.get("/cluster/plan").json()["name"] == "n1"
    plan = rest.get("/cluster/plan?node=n2").json()
    assert (plan["situation"], plan["plan"]) == ("following", ["Follow."])
    refused(rest.get("/cluster/plan?node=n9"), 404, "not_found_error")


def test_the_services(rest):
    services = rest.get("/status").json()["services"]
    assert [(it["display_name"], it["unit_id"], it["instances"][0]["state"]) for it in services] == [
        ("Consul", "cloudify-consul", "stopped"),
        ("PostgreSQL", "cloudify-postgresql", "running"),
    ]


def test_start(node, alone, errands):
    body = {"host_ip": "127.93.1.1", "node_name": "n1", "options": {"sync_mode": "async"}}
    answer = alone.put("/cluster", body)
    assert (answer.status_code, answer.json()) == (200, {"initialized": False, "error": None})
    assert errands.run == [("start", body)]
    # Again, from a client whose connection broke: it is not begun twice.
    assert alone.put("/cluster", body).status_code == 200
    refused(alone.put("/cluster", {**body, "node_name": "n2"}), 409, "conflict_error")
    assert len(errands.run) == 1

    progress = Progress(node.config.paths)
    progress.begin("Begun.")
    (line,) = alone.get("/cluster?_include=logs,initialized,error").json()["logs"]
    assert (line["message"], type(line["timestamp"])) == ("Begun.", int)
    progress.say("Done.")
    news = alone.get(f"/cluster?_include=logs,initialized,error&since={line['cursor']}").json()
    assert [it["message"] for it in news["logs"]] == ["Done."]

    progress.fail("It went wrong.")
    assert alone.get("/cluster?_include=error").json() == {"error": "It went wrong."}
    assert alone.put("/cluster", {**body, "node_name": "n2"}).status_code == 200  # it can be tried again
    assert len(errands.run) == 2


def test_join(alone, errands):
    body = {"host_ip": "127.93.1.1", "node_name": "n1", "options": {}, **JOIN}
    assert alone.put("/cluster", body).status_code == 200
    assert errands.run == [("join", body)]


@pytest.mark.parametrize("missing", ["credentials", "required"])
def test_a_join_without_an_invitation(alone, errands, missing):
    body = {"host_ip": "127.93.1.1", "node_name": "n1", **JOIN, missing: None}
    assert missing in refused(alone.put("/cluster", body), 400, "bad_parameters_error")
    assert errands.run == []


def test_what_the_check_of_a_start_says_is_told_and_nothing_is_under_way(alone, errands):
    body = {"host_ip": "localhost", "node_name": "n1"}
    errands.refusal = errors.BadParameters("'localhost' is not an IP address")
    refused(alone.put("/cluster", body), 400, "bad_parameters_error")
    errands.refusal = None
    assert alone.put("/cluster", {**body, "host_ip": "127.93.1.1"}).status_code == 200


def test_a_second_start(rest, errands):
    body = {"host_ip": "127.93.1.1", "node_name": "n1"}
    refused(rest.put("/cluster", body), 409, "conflict_error")
    refused(rest.put("/cluster", {**body, **JOIN}), 409, "conflict_error")
    assert errands.run == []


@pytest.mark.parametrize(
    "path", ["/status", "/cluster", "/cluster/nodes", "/users", "/nothing", "/maintenance"]
)
def test_a_replica_refuses_everything(node, rest, path):
    lease_file.write(node.config.paths.lease_file, LeaseState(member=True, leader="n2", term=8))
    message = refused(rest.get(path), 400, "not_cluster_master")
    assert message.endswith("It is not the active manager in the cluster.")
    refused(rest.as_user(None).post("/tenants/x"), 400, "not_cluster_master")
    assert rest.get("/api/version").status_code == 200


def test_a_removed_member_refuses_everything(node, rest):
    lease_file.write(node.config.paths.lease_file, LeaseState(member=True, removed=True))
    message = refused(rest.get("/status"), 400, "removed_from_cluster")
    assert message == "This node was removed from the Cloudify Manager cluster"
