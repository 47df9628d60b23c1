"""``cfy nodes``."""

from __future__ import annotations

import click

from cli import options
from cli.command import Group
from cli.errors import CliError
from cli.resources import Resource, list_command
from cli.session import Session, pass_session

NODES = Resource(
    "node",
    columns=(
        *("id", "deployment_id", "type", "instances", "planned", "host_id", "blueprint_id"),
        *("tenant_name", "created_by", "visibility"),
    ),
    fields={"instances": "number_of_instances", "planned": "planned_number_of_instances"},
    details=(
        *("id", "deployment_id", "blueprint_id", "host_id", "type", "type_hierarchy", "instances"),
        *("planned", "properties", "tenant_name", "created_by"),
    ),
)


@click.group("nodes", cls=Group)
def group() -> None:
    """Nodes: what deployments consist of."""


group.add_command(list_command(NODES, options.deployment_filter))


@group.command("get")
@click.argument("node", metavar="NODE")
@click.option("-d", "--deployment-id", required=True, metavar="DEPLOYMENT", help="The node's deployment.")
@options.in_tenant
@pass_session
def get(session: Session, node: str, deployment_id: str) -> None:
    """Show one node of a deployment."""
    found = session.api.items(NODES.path(), deployment_id=deployment_id, id=node)
    if not found:
        raise CliError(
            f"Deployment {deployment_id} has no node {node}.",
            f"Its nodes: cfy nodes list -d {deployment_id}",
        )
    NODES.show(session, found[0])
