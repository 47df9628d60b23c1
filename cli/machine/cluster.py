"""``cfy_manager cluster``: what can be done on a member itself, also when nobody leads."""

from __future__ import annotations

from typing import Any

import click

from cli import options
from cli.command import Group
from cli.errors import CliError
from cli.formation import FORMATION_TIMEOUT_S, Progress, member_request
from cli.machine.node import Node, Work, pass_node
from cli.options import NewMember
from cli.showing import show_history, show_plans
from cli.waiting import Deadline

LOOPBACK = "127.0.0.1"
FORCED_INTERVAL_S = 0.5


@click.group("cluster", cls=Group)
def group() -> None:
    """The cluster, as this node takes part in it."""


@group.command("start")
@options.new_member
@options.timeout(FORMATION_TIMEOUT_S)
@pass_node
def start(node: Node, member: NewMember, timeout_s: float) -> None:
    """Make this manager the first of a cluster.

    A cluster is joined from elsewhere (cfy cluster join), because the leader has to take part.
    """
    request = member_request(member, str(node.config.get("host_ip", LOOPBACK)))
    if node.ask("formation.status").get("initialized"):
        raise CliError("This manager already belongs to a cluster.", "See which: cfy_manager status")
    node.ask("formation.begin", message=f"Starting a cluster; its first node is {request['node_name']}.")
    follow(node, node.begin("formation.start", **request), timeout_s)
    node.out.done(f"The cluster is started, and {request['node_name']} leads it.", request)


def follow(node: Node, work: Work, timeout_s: float) -> Any:
    """Show what the node says while it works, and return what comes of it."""
    progress = Progress(lambda since: node.ask("formation.status", since=since), node.out)

    def finished() -> bool | None:
        done = work.ready()
        progress.ask()
        return done or None

    Deadline(timeout_s).wait_for(finished, "the node is not done")
    return work.result(timeout_s)


@group.command("remove")
@click.argument("name")
@options.timeout(FORMATION_TIMEOUT_S)
@pass_node
def remove(node: Node, name: str, timeout_s: float) -> None:
    """Take a member out of the cluster (on the leader)."""
    node.begin("formation.remove", name=name).result(timeout_s)
    node.out.done(f"{name} is removed from the cluster.", {"name": name})


@group.command("force-leader")
@click.option("--lose-writes", is_flag=True, help="Do it, and lose what the last leader alone had.")
@options.timeout(FORMATION_TIMEOUT_S)
@pass_node
def force_leader(node: Node, /, lose_writes: bool, timeout_s: float) -> None:
    """Have this node lead although it may lack acknowledged writes.

    For one case alone: the last leader had gone on without any replica, and does not come back. Whatever it
    acknowledged since is lost for the cluster; if that machine returns after all, it is archived there
    (cfy_manager archive list) before its data is replaced. The command is refused while the cluster can
    elect a leader without a loss.
    """
    if not lose_writes:
        raise CliError(
            "What the last leader acknowledged without a replica will be lost.",
            "If its machine can be brought back, do that instead. If not: --lose-writes",
        )
    lost = node.ask("formation.force_leader")
    node.out.progress(f"Waiting until {lost} cannot believe any more that it leads.")
    Deadline(timeout_s).wait_for(lambda: leads(node), "this node does not lead yet", FORCED_INTERVAL_S)
    node.out.done(f"This node leads. What {lost} alone had is lost.", {"lost": lost})


def leads(node: Node) -> bool | None:
    """Whether this node takes writes as the leader."""
    return bool(node.ask("formation.status").get("serving")) or None


@group.command("plan")
@pass_node
def plan(node: Node) -> None:
    """Show what this node would do now, and why, without doing it."""
    show_plans(node.out, [node.ask("formation.plan")])


@group.command("pause")
@pass_node
def pause(node: Node) -> None:
    """Stop automatic failover, for maintenance. Nothing else stops."""
    node.ask("formation.pause")
    node.out.done("The cluster is paused: no automatic failover until it is resumed.", {"paused": True})


@group.command("resume")
@pass_node
def resume(node: Node) -> None:
    """Allow automatic failover again."""
    node.ask("formation.resume")
    node.out.done("The cluster is no longer paused.", {"paused": False})


@group.command("history")
@click.option(
    "-n", "--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many entries."
)
@pass_node
def history(node: Node, last: int) -> None:
    """Show what happened in the cluster: terms, failovers and their causes, joins, removals."""
    show_history(node.out, node.ask("formation.history", limit=last))
