"""``cfy_manager recover-quorum``: the majority of the members is lost for good."""

from __future__ import annotations

import click

from cli import options
from cli.command import Command
from cli.errors import CliError
from cli.formation import FORMATION_TIMEOUT_S
from cli.machine.cluster import follow, leads
from cli.machine.node import Node, pass_node
from cli.waiting import Deadline

INTERVAL_S = 0.5


@click.command("recover-quorum", cls=Command)
@click.option("--lose-members", is_flag=True, help="Do it, and never use the other members again.")
@options.timeout(FORMATION_TIMEOUT_S)
@pass_node
def recover_quorum(node: Node, /, lose_members: bool, timeout_s: float) -> None:
    """Make a cluster of this node alone, which new managers can join.

    For one case alone: more than half of the members are gone for good. What only they had is lost. They must
    not be started again: those that are left of them could go on as a cluster of their own. Of several
    survivors choose the one with the newest data, and join the others as new managers.
    """
    if not lose_members:
        raise CliError(
            "All other members are taken off the cluster for good, and what only they had is lost.",
            "If enough of their machines can be brought back, do that instead. If not: --lose-members",
        )
    node.ask("formation.begin", message="Making a cluster of this node alone.")
    follow(node, node.begin("formation.recover_quorum"), timeout_s)
    Deadline(timeout_s).wait_for(lambda: leads(node), "this node does not lead yet", INTERVAL_S)
    told = "This node leads a cluster of its own. Others join it with cfy cluster join."
    node.out.done(told, {"leads": True})
