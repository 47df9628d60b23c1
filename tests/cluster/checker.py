"""Was every promise kept? What clients were told, against all the databases and the cluster's history."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from requests import RequestException

from demo.cluster import Cluster
from demo.node import Node
from demo.phases import Moment, unix_time
from demo.writer import Acknowledged, Journal
from orchestrator.clients.postgres.connection import Connection
from orchestrator.model.errors import ClusterError

QUERY_S = 10.0
TAKING_OFFICE = ("started", "elected")
OF_ONE_LEADER = (*TAKING_OFFICE, "promoted", "announced", "serving")
SHOWN = 5

Names = Callable[[Node], set[str]]
"""Gives the names in a node's own database."""


@dataclass(frozen=True, slots=True)
class Reign:
    """For how long a node led, in Unix time."""

    node: str
    since: float
    until: float


def complaints(
    cluster: Cluster, journals: Sequence[Journal], began: Moment, ask: Names | None = None
) -> list[str]:
    """What is wrong; nothing, once the cluster has converged. ``began``: before the first of the writes.

    ``ask``: another way to a node's database than its socket.
    """
    try:
        members = [cluster.bed[member["name"]] for member in cluster.members()]
        history = cluster.history()
        present = {node.name: (ask or names_on)(node) for node in members}
        found = [*losses(present, journals), *broken_terms(history)]
        found += usurpations(cluster, history, journals, began)
    except (ClusterError, RequestException) as error:
        return [str(error)]
    return found


def names_on(node: Node) -> set[str]:
    """What the node's own database has, asked through its socket: a replica as well as a leader."""
    return {name for (name,) in query(node, "SELECT name FROM tenants")}


def query(node: Node, sql: str) -> list[Any]:
    """The rows that the node's own database answers with. Raises ``DatabaseUnavailable``."""
    config = node.config
    connection = Connection(
        f"host='{config.paths.run}' port={config.ports.postgres} user=postgres dbname=cloudify"
    )
    try:
        return connection.query(sql, timeout_s=QUERY_S)
    finally:
        connection.close()


def losses(present: Mapping[str, set[str]], journals: Sequence[Journal]) -> Iterator[str]:
    """Everything acknowledged is everywhere, and whatever else there is, is everywhere too."""
    promised = {write.name for journal in journals for write in journal.acknowledged}
    everywhere = set.intersection(*present.values())
    for name, names in present.items():
        if lost := promised - names:
            yield f"{len(lost)} acknowledged writes are not on {name}: {_some(lost)}"
        if own := names - everywhere - promised:
            yield f"{len(own)} writes are on {name} that are not on all members: {_some(own)}"


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:SHOWN])


def broken_terms(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One leader for each term, and terms that only grow."""
    leaders: dict[int, set[str]] = defaultdict(set)
    for entry in history:
        if entry["kind"] in OF_ONE_LEADER:
            leaders[entry["term"]].add(entry["node"])
    for term, names in leaders.items():
        if len(names) > 1:
            yield f"term {term} had several leaders: {', '.join(sorted(names))}"
    for before, after in pairwise(_elections(history)):
        if after["term"] <= before["term"]:
            yield f"term {after['term']} of {after['node']} came after term {before['term']}"


def _elections(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    # By time, not by number: an entry gets its number when it is delivered, which a dead node does later.
    taken = (entry for entry in history if entry["kind"] in TAKING_OFFICE)
    return sorted(taken, key=lambda entry: unix_time(entry["at"]))


def reigns(history: Sequence[Mapping[str, Any]]) -> list[Reign]:
    """Who led, and from when to when."""
    elections = [(unix_time(entry["at"]), entry["node"]) for entry in _elections(history)]
    ends = [*(at for at, _ in elections[1:]), math.inf]
    return [Reign(node, at, until) for (at, node), until in zip(elections, ends, strict=True)]


def usurpations(
    cluster: Cluster, history: Sequence[Mapping[str, Any]], journals: Sequence[Journal], began: Moment
) -> Iterator[str]:
    """Every write was acknowledged by the member that led while it was made."""
    led = reigns(history)
    names = {node.host_ip: node.name for node in cluster.bed}

    def legitimate(write: Acknowledged) -> bool:
        asked, answered = began.unix(write.asked_s), began.unix(write.answered_s)
        return any(
            reign.node == names[write.host_ip] and asked < reign.until and answered >= reign.since
            for reign in led
        )

    writes = [write for journal in journals for write in journal.acknowledged]
    for name in sorted(set(names.values())):
        stolen = [write for write in writes if names[write.host_ip] == name and not legitimate(write)]
        if stolen:
            times = ", ".join(f"{began.unix(write.answered_s):.3f}" for write in stolen[:SHOWN])
            yield f"{name} acknowledged {len(stolen)} writes while it did not lead, at {times}; reigns: {led}"
