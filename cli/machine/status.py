"""``cfy_manager status``."""

from __future__ import annotations

import click

from cli.command import Command
from cli.machine.certificates import warn
from cli.machine.node import Node, pass_node


@click.command("status", cls=Command)
@pass_node
def command(node: Node) -> None:
    """Show how this node is, and where it stands towards a cluster."""
    found = node.ask("formation.status")
    node.out.details({key: value for key, value in found.items() if key not in {"logs", "warnings"}}, found)
    warn(node, found.get("warnings", ()))
