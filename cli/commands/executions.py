"""``cfy executions``."""

from __future__ import annotations

import click

from cli import options
from cli.command import Group
from cli.resources import Resource, get_command, list_command

EXECUTIONS = Resource(
    "execution",
    columns=(
        *("id", "workflow_id", "status_display", "is_dry_run", "deployment_id", "created_at", "started_at"),
        *("ended_at", "error", "visibility", "tenant_name", "created_by"),
    ),
    details=(
        *("id", "workflow_id", "status_display", "is_dry_run", "deployment_id", "blueprint_id", "parameters"),
        *("created_at", "started_at", "ended_at", "scheduled_for", "error"),
        *("is_system_workflow", "visibility", "tenant_name", "created_by"),
    ),
    sort_by="created_at",
)


@click.group("executions", cls=Group)
def group() -> None:
    """Executions: workflows that ran, run, or will run."""


system_workflows = click.option(
    *("--include-system-workflows", "_include_system_workflows"),
    is_flag=True,
    help="Those of the manager itself as well: snapshots, deletions.",
)

group.add_command(
    list_command(EXECUTIONS, options.deployment_filter, options.blueprint_filter, system_workflows)
)
group.add_command(get_command(EXECUTIONS))
