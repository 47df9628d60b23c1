"""``cfy cluster``: what concerns the cluster as a whole. Start, join and nodes are in files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from cli import options
from cli.command import Group
from cli.errors import NoManager, Rejected
from cli.members import not_in_cluster, read_nodes, read_state
from cli.profile import is_leader, state_of
from cli.session import Session, pass_session
from cli.showing import show_history, show_plans
from cli.waiting import Deadline

SWITCHOVER_TIMEOUT_S = 60
SWITCHOVER_INTERVAL_S = 0.2

LATE = {
    "start": (
        "cli.commands.cluster_start:command",
        "Make the manager of the profile the first of a cluster.",
    ),
    "join": ("cli.commands.cluster_join:command", "Make the manager of the profile a replica in a cluster."),
    "nodes": ("cli.commands.cluster_nodes:group", "The members of the cluster."),
}


@click.group("cluster", cls=Group, late=LATE)
def group() -> None:
    """The cluster: its members, its leader, its history."""


@group.command("status")
@pass_session
def status(session: Session) -> None:
    """Show whether there is a cluster, who leads it, and how it is."""
    state = read_state(session.api)
    if not state["initialized"]:
        session.out.details({"initialized": False}, state)
        return
    nodes = read_nodes(session.api)
    session.learn_members(nodes)
    session.out.details(_summary(state, nodes), {**state, "nodes": nodes})


def _summary(state: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    by_state = [(state_of(node), node["name"]) for node in nodes]
    told = {
        key: value for key, value in state.items() if key not in {"logs", "credentials"} and value is not None
    }
    return told | {
        "leader": ", ".join(name for kind, name in by_state if kind == "leader") or "none",
        "replicas": [name for kind, name in by_state if kind == "replica"],
        "offline": [name for kind, name in by_state if kind == "offline"] or "none",
    }


@group.command("update-profile")
@pass_session
def update_profile(session: Session) -> None:
    """Fetch the list of members into the profile."""
    if not read_state(session.api)["initialized"]:
        raise not_in_cluster(session.profile.address)
    profile = session.learn_members(read_nodes(session.api))
    members = ", ".join(f"{member.name} ({member.address})" for member in profile.members)
    session.out.done(f"Profile {profile.name} knows {members}.", profile.without_secrets())


@group.command("set-active")
@click.argument("node")
@options.timeout(SWITCHOVER_TIMEOUT_S)
@pass_session
def set_active(session: Session, node: str, timeout_s: float) -> None:
    """Make another member the leader, without losing anything."""
    if not read_state(session.api)["initialized"]:
        raise not_in_cluster(session.profile.address)
    nodes = read_nodes(session.api)
    deadline = Deadline(timeout_s)
    _ask_for_leader(session, node, nodes)
    _prefer(session, node, nodes)
    nodes = deadline.wait_for(lambda: _led_by(session, node), f"{node} does not lead", SWITCHOVER_INTERVAL_S)
    took_s = round(deadline.elapsed_s, 2)
    session.learn_members(nodes)
    session.out.done(f"{node} leads. The switchover took {took_s:.1f} s.", {"master": node, "took_s": took_s})


def _ask_for_leader(session: Session, node: str, nodes: Iterable[Mapping[str, Any]]) -> None:
    try:
        session.api.patch("/cluster", {"master": node})
    except NoManager as error:
        # A leader that hands over stops answering. If the wish has reached it, the node list will tell.
        if not error.may_be_done:
            raise
    except Rejected as error:
        if error.after_drop and _led_by(session, node):
            return
        error.hint = "The members: " + ", ".join(f"{it['name']} ({state_of(it)})" for it in nodes)
        raise


def _prefer(session: Session, name: str, nodes: Iterable[Mapping[str, Any]]) -> None:
    # A member holds requests while it does not know whether it leads: the old leader would delay the answer.
    for member in session.profile.knowing(nodes).members:
        if member.name == name:
            session.api.prefer(member.address)


def _led_by(session: Session, name: str) -> list[dict[str, Any]] | None:
    nodes = read_nodes(session.api)
    return nodes if any(node["name"] == name and is_leader(node) for node in nodes) else None


@group.command("pause")
@pass_session
def pause(session: Session) -> None:
    """Stop automatic failover, for maintenance. Nothing else stops."""
    state = session.api.patch("/cluster", {"paused": True})
    session.out.done("The cluster is paused: no automatic failover until cfy cluster resume.", state)


@group.command("resume")
@pass_session
def resume(session: Session) -> None:
    """Allow automatic failover again."""
    state = session.api.patch("/cluster", {"paused": False})
    session.out.done("The cluster is no longer paused.", state)


@group.command("history")
@click.option(
    "-n", "--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many entries."
)
@pass_session
def history(session: Session, last: int) -> None:
    """Show what happened in the cluster: terms, failovers and their causes, joins, removals."""
    page = session.api.get("/cluster/history", _size=last, _sort="-number")
    show_history(session.out, page["items"])


@group.command("plan")
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@pass_session
def plan(session: Session, nodes: tuple[str, ...]) -> None:
    """Show what each node (or only these) would do now, without doing it."""
    names = nodes or [node["name"] for node in read_nodes(session.api)]
    show_plans(session.out, [session.api.get("/cluster/plan", node=name) for name in names])
