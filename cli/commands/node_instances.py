"""``cfy node-instances``."""

from __future__ import annotations

import click

from cli import options
from cli.command import Group
from cli.resources import Resource, get_command, list_command

NODE_INSTANCES = Resource(
    "node instance",
    columns=(
        *("id", "state", "deployment_id", "node_id", "host_id"),
        *("tenant_name", "created_by", "visibility"),
    ),
    details=(
        *("id", "deployment_id", "host_id", "node_id", "state", "runtime_properties", "relationships"),
        *("tenant_name", "created_by"),
    ),
)


@click.group("node-instances", cls=Group)
def group() -> None:
    """The instances of the nodes of deployments."""


of_node = click.option("-n", "--node-name", "node_id", metavar="NODE", help="Only those of this node.")

group.add_command(list_command(NODE_INSTANCES, options.deployment_filter, of_node))
group.add_command(get_command(NODE_INSTANCES))
