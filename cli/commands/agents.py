"""``cfy agents``."""

from __future__ import annotations

import click

from cli import options
from cli.command import Group
from cli.resources import Resource, list_command

AGENTS = Resource(
    "agent",
    columns=("id", "ip", "deployment", "node", "system", "version", "install_method", "host_id"),
)


@click.group("agents", cls=Group)
def group() -> None:
    """Agents: the manager's hands on other machines."""


of_node = click.option(
    "--node-id",
    "node_ids",
    multiple=True,
    metavar="NODE",
    help="Only those of this node; repeat it for more.",
)
of_instance = click.option(
    *("--node-instance-id", "node_instance_ids"),
    multiple=True,
    metavar="INSTANCE",
    help="Only those of this node instance; repeat it for more.",
)
by_method = click.option(
    *("--install-method", "install_methods"),
    multiple=True,
    metavar="METHOD",
    help="Only those that were installed like this; repeat it for more.",
)

group.add_command(list_command(AGENTS, options.deployment_filter, of_node, of_instance, by_method))
