"""What happened in a simulated world, told so that a person can follow it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

from orchestrator.model.action import Done
from orchestrator.model.snapshot import Role, SyncSetting

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster

BEGIN_S = 100.0
DETAILS = ("round", "term", "setting", "record", "leader", "target", "reason", "seen_at")


def tell(cluster: SimCluster) -> str:
    """The last things that happened, each repetition once, and how everything stands now."""
    return "\n".join([*lines(cluster.story), "", *state(cluster)])


def lines(events: Iterable[tuple[float, str, object]]) -> list[str]:
    """One line for each event."""
    told: list[str] = []
    last: dict[str, str] = {}
    for at_s, who, what in events:
        words = in_words(what)
        if last.get(who) != words:
            told.append(f"{at_s - BEGIN_S:8.2f}  {who:5} {words}")
        last[who] = words
    return told


def in_words(what: object) -> str:
    if isinstance(what, str):
        return what
    head, tail = what
    if isinstance(tail, Exception):
        return f"does not {head}: {tail}"
    if isinstance(tail, Done):
        return f"has done {head}: {tail.detail}"
    details = [
        f"{field.name} {_short(getattr(tail, field.name))}" for field in fields(tail) if field.name in DETAILS
    ]
    return f"[{head}] {type(tail).__name__} {', '.join(details)}".rstrip()


def _short(value: object) -> str:
    if hasattr(value, "members"):
        names = ", ".join(sorted(value.members)) or "nobody"
        term = f" in term {value.term} by {value.leader}" if hasattr(value, "term") else ""
        return f"{value.k} of {names}{term}"
    return str(value)


def state(cluster: SimCluster) -> list[str]:
    """How lease, record and databases stand."""
    consul, lease = cluster.consul, cluster.consul.lease
    holder = f"held by {lease.holder}" if lease.session else "free"
    record = _short(consul.record) if consul.record else "none"
    told = [f"lease: {holder}, term {lease.term}; record: {record}" + ("; paused" if consul.paused else "")]
    return [*told, *(_machine(cluster, name) for name in cluster.machines)]


def _machine(cluster: SimCluster, name: str) -> str:
    machine = cluster.machines[name]
    database, server = machine.database, machine.database.server
    words = [f"{name}:"]
    if server is None:
        words.append(Role.STOPPED)
    elif server.primary:
        words.append(Role.PRIMARY)
        words.append("waits for " + _short(server.setting) if server.setting != SyncSetting() else "alone")
        words.append("(read only)" if server.read_only else "")
    else:
        words.append(Role.STANDBY)
        words.append(f"of {server.upstream}" if server.upstream else "of nobody")
        words.append("" if server.receiver or not server.upstream else "(not streaming)")
    words.append(f"at {database.position}")
    words.append(" ".join(_troubles(machine)))
    words.append("serves" if machine.serves else "")
    return " ".join(word for word in words if word)


def standing(cluster: SimCluster) -> list[str]:
    """How everything stands, without positions: those depend on how fast somebody writes."""
    told = []
    for line in state(cluster):
        words = line.split()
        told.append(" ".join(_without_lsn(word) for word in words if word != "at"))
    return told


def _without_lsn(word: str) -> str:
    timeline, at, _ = word.partition("@")
    return f"(timeline {timeline})" if at else word


def _troubles(machine: object) -> list[str]:
    troubles = {
        "no power": not machine.up,
        "cut off": machine.cut,
        "frozen": machine.frozen,
        "slow": machine.slow,
        "ruin": machine.database.disk.broken,
        "removed": machine.name in machine.cluster.consul.removed,
    }
    return [f"[{name}]" for name, there in troubles.items() if there]
