"""``cfy agents``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import options
from cli.api import path
from cli.command import Group
from cli.errors import CliError
from cli.following import EVENT
from cli.resources import Resource, list_command
from cli.session import Session, pass_session
from cli.starting import Wish, run

TIMEOUT_S = 900

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


@group.command("install")
@options.deployment_filter
@of_node
@of_instance
@by_method
@options.timeout(TIMEOUT_S)
@options.in_tenant
@pass_session
def install(session: Session, /, deployment_id: str | None, timeout_s: float, **chosen: Any) -> None:
    """Install the agents of all machines that are up anew, or of those that are named.

    This is the workflow install_new_agents, on each deployment that has agents.
    """
    _run_everywhere(session, "install_new_agents", deployment_id, timeout_s, chosen)


@group.command("validate")
@options.deployment_filter
@of_node
@of_instance
@by_method
@options.timeout(TIMEOUT_S)
@options.in_tenant
@pass_session
def validate(session: Session, /, deployment_id: str | None, timeout_s: float, **chosen: Any) -> None:
    """Look whether agents answer. The exit code is that of a failure when one of them does not.

    This is the workflow validate_agents, on each deployment that has agents.
    """
    _run_everywhere(session, "validate_agents", deployment_id, timeout_s, chosen)


def _run_everywhere(
    session: Session, workflow: str, deployment_id: str | None, timeout_s: float, chosen: Mapping[str, Any]
) -> None:
    """On one deployment after the other; goes on when one has failed, and says so at the end."""
    parameters = {name: list(values) for name, values in chosen.items() if values}
    query = {name: value for name, value in {"deployment_id": deployment_id, **parameters}.items() if value}
    found = session.api.items("/agents", **query)
    if not found:
        if deployment_id:
            session.api.get(path("deployments", deployment_id))
        session.out.done("There are no such agents." if query else "There are no agents.", found)
        return
    failed: list[str] = []
    for deployment in dict.fromkeys(agent["deployment"] for agent in found):
        body = {"workflow_id": workflow, "deployment_id": deployment, "parameters": parameters}
        try:
            run(session, Wish(body, (EVENT,), timeout_s))
        except CliError as error:
            session.out.progress(f"{deployment}: {error}")
            failed.append(deployment)
    if failed:
        raise CliError(f"The workflow {workflow} has failed on: {', '.join(failed)}.")
    session.out.done(f"{workflow}: done for {len(found)} agents.", found)
