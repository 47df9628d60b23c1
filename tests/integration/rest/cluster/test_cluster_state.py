"""The state of the cluster, its members, its history and plans, as clients read them."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from orchestrator.clients.consul import Consul
from orchestrator.model.snapshot import Lease
from orchestrator.model.spec import Options
from tests.support.memory_cluster import MemoryConsul, refused

pytestmark = pytest.mark.integration


def test_the_consul_in_memory_is_asked_like_the_real_one():
    for name, method in inspect.getmembers(MemoryConsul, inspect.isfunction):
        if not name.startswith("_"):
            real = inspect.signature(getattr(Consul, name)).parameters.values()
            assert [(it.name, it.kind) for it in inspect.signature(method).parameters.values()] == [
                (it.name, it.kind) for it in real
            ]


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
    assert rest.get(f"/cluster/nodes/n2?_include={','.join(n2)}").json() == n2
    assert [it["name"] for it in rest.get("/cluster/nodes?online=true&_sort=-name").json()["items"]] == [
        "n2",
        "n1",
    ]
    message = refused(rest.get("/cluster/nodes/n9"), 404, "not_found_error")
    assert message == "Requested `Node` with ID `n9` was not found"


def test_nobody_is_master_while_the_lease_is_free(rest, consul):
    consul.now = replace(consul.now, lease=Lease("n1", None, 7, 71))
    assert not any(node["master"] for node in rest.get("/cluster/nodes").json()["items"])


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
