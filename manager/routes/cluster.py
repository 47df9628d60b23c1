"""The cluster: its state, its members, its history. Everything here needs an administrator."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as JsonBody
from pydantic import Field

from manager import pages
from manager.dependencies import Cluster, ClusterAdmin, ListQuery
from manager.errors import BadParameters
from manager.gateway import HISTORY_LIMIT
from manager.listing import Kind, timestamp
from manager.routes.json_route import Body, router

cluster = router()

STATE_FIELDS = ("initialized", "error", "logs", "consul", "name", "leader", "paused", "term", "minority")
ON_REQUEST = ("logs", "error")
"""Fields of the state that are answered only when they are asked for."""

NODE_FIELDS = {
    "name": Kind.TEXT,
    "host_ip": Kind.TEXT,
    "public_ip": Kind.TEXT,
    "initialized": Kind.BOOLEAN,
    "online": Kind.BOOLEAN,
    "master": Kind.BOOLEAN,
    "checks": Kind.OPAQUE,
    "options": Kind.OPAQUE,
    "situation": Kind.TEXT,
    "role": Kind.TEXT,
    "upstream": Kind.TEXT,
    "lag": Kind.NUMBER,
    "files": Kind.OPAQUE,
    "version": Kind.TEXT,
}

HISTORY_FIELDS = {
    "number": Kind.NUMBER,
    "at": Kind.TIME,
    "node": Kind.TEXT,
    "term": Kind.NUMBER,
    "kind": Kind.TEXT,
    "summary": Kind.TEXT,
    "cause": Kind.TEXT,
    "duration_s": Kind.NUMBER,
}


class Formation(Body):
    """The body of ``PUT /cluster``: a join when it has ``join_addrs``, else a start."""

    host_ip: str
    node_name: str
    options: dict[str, Any] | None = None
    credentials: Any = None
    required: Any = None
    join_addrs: list[str] | None = None


class Change(Body):
    """The body of ``PATCH /cluster``: who shall lead, or whether automatic failover is off."""

    master: str | None = None
    paused: bool | None = None


class Invited(Body):
    """The body of ``PUT /cluster/nodes/NAME``. The name is in the address as well."""

    host_ip: str
    node_name: str | None = None


Options = Annotated[dict[str, str | bool | int | float], JsonBody(), Field(min_length=1)]


@cluster.get("/cluster")
def read_state(
    _: ClusterAdmin, gateway: Cluster, query: ListQuery, since: str | None = None
) -> dict[str, Any]:
    """The state; ``since`` is the cursor of the last log line that the client has."""
    query.check_include(STATE_FIELDS)
    wanted = query.include or frozenset()
    state = gateway.cluster_state(include_logs="logs" in wanted, since=since or None)
    return query.project({key: state[key] for key in state if key not in ON_REQUEST or key in wanted})


@cluster.put("/cluster")
def form(_: ClusterAdmin, gateway: Cluster, wish: Formation) -> dict[str, Any]:
    """Start a cluster on this manager, or join one. The work goes on behind the answer."""
    if wish.join_addrs:
        return gateway.join(
            wish.node_name,
            wish.host_ip,
            wish.options or {},
            credentials=wish.credentials,
            required=wish.required,
            join_addrs=wish.join_addrs,
        )
    return gateway.start(wish.node_name, wish.host_ip, wish.options or {})


@cluster.patch("/cluster")
def change(caller: ClusterAdmin, gateway: Cluster, wish: Change) -> dict[str, Any]:
    """Have another member lead, or pause and resume automatic failover."""
    if (wish.master is None) == (wish.paused is None):
        raise BadParameters("Expected one of `master` and `paused`")
    if wish.master is not None:
        return gateway.set_active(wish.master)
    return gateway.pause(caller.username) if wish.paused else gateway.resume(caller.username)


@cluster.put("/cluster/pause")
def pause(caller: ClusterAdmin, gateway: Cluster) -> dict[str, Any]:
    """No automatic failover from now on."""
    return gateway.pause(caller.username)


@cluster.delete("/cluster/pause")
def resume(caller: ClusterAdmin, gateway: Cluster) -> dict[str, Any]:
    """Automatic failover again."""
    return gateway.resume(caller.username)


@cluster.get("/cluster/history")
def list_history(_: ClusterAdmin, gateway: Cluster, query: ListQuery) -> dict[str, Any]:
    """What happened, the newest first; the store keeps the last thousand entries."""
    entries = sorted(gateway.history(HISTORY_LIMIT), key=lambda entry: -entry["number"])
    page, total = pages.from_items(entries, HISTORY_FIELDS, query, name="summary")
    return query.answer(({**entry, "at": timestamp(entry["at"])} for entry in page), total)


@cluster.get("/cluster/plan")
def read_plan(_: ClusterAdmin, gateway: Cluster, node: str | None = None) -> dict[str, Any]:
    """What a node (``?node=NAME``, else the leader) would do now, without doing it."""
    return gateway.plan(node)


@cluster.get("/cluster/nodes")
def list_nodes(_: ClusterAdmin, gateway: Cluster, query: ListQuery) -> dict[str, Any]:
    """All members, those that are offline as well."""
    nodes = gateway.nodes()
    return query.answer(*pages.from_items(nodes, NODE_FIELDS, query, name="name"))


@cluster.get("/cluster/nodes/{name}")
def read_node(name: str, _: ClusterAdmin, gateway: Cluster, query: ListQuery) -> dict[str, Any]:
    """One member."""
    query.check_include(NODE_FIELDS)
    return query.project(gateway.node(name))


@cluster.put("/cluster/nodes/{name}")
def invite(name: str, invited: Invited, _: ClusterAdmin, gateway: Cluster) -> dict[str, Any]:
    """Prepare for a new member: what comes with the node is for the joining manager, and is secret."""
    if invited.node_name not in {None, name}:
        raise BadParameters(f"`node_name` is `{invited.node_name}`, but the address names `{name}`")
    return gateway.invite(name, invited.host_ip)


@cluster.patch("/cluster/nodes/{name}")
def update_options(name: str, options: Options, caller: ClusterAdmin, gateway: Cluster) -> dict[str, Any]:
    """Change options of a member."""
    return gateway.update_options(name, options, caller.username)


@cluster.delete("/cluster/nodes/{name}")
def remove(name: str, _: ClusterAdmin, gateway: Cluster) -> dict[str, Any]:
    """Take a member out of the cluster for good."""
    return gateway.remove(name)
