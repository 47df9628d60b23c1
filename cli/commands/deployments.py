"""``cfy deployments``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import click

from cli import inputs as given_inputs
from cli import options
from cli.command import Group
from cli.errors import CliError, Rejected
from cli.resources import Resource, get_command, list_command
from cli.session import Session, pass_session
from cli.waiting import Deadline

DELETION_TIMEOUT_S = 900
DELETION = "delete_deployment_environment"

DEPLOYMENTS = Resource(
    "deployment",
    columns=("id", "blueprint_id", "created_at", "tenant_name", "created_by", "updated_at", "visibility"),
    details=(
        *("id", "blueprint_id", "description", "created_at", "updated_at", "inputs"),
        *("visibility", "tenant_name", "created_by"),
    ),
    sort_by="created_at",
)

deployment_argument = click.argument("deployment_id", metavar="DEPLOYMENT")


@click.group("deployments", cls=Group)
def group() -> None:
    """Deployments: blueprints with their inputs."""


group.add_command(list_command(DEPLOYMENTS, options.blueprint_filter))
group.add_command(get_command(DEPLOYMENTS))


@group.command("create")
@click.argument("deployment_id", metavar="[ID]", required=False)
@click.option("-b", "--blueprint-id", required=True, metavar="BLUEPRINT", help="The blueprint to deploy.")
@given_inputs.option()
@options.visibility
@click.option("--skip-plugins-validation", is_flag=True, help="Do not check that its plugins are there.")
@options.in_tenant
@pass_session
def create(
    session: Session,
    deployment_id: str | None,
    blueprint_id: str,
    inputs: Mapping[str, Any],
    visibility: str,
    skip_plugins_validation: bool,
) -> None:
    """Make a deployment of a blueprint.

    ID is the new deployment's name; the blueprint's unless it is given.
    """
    name = deployment_id or blueprint_id
    body = {
        "blueprint_id": blueprint_id,
        "inputs": inputs,
        "visibility": visibility,
        "skip_plugins_validation": skip_plugins_validation,
    }
    try:
        created = session.api.put(DEPLOYMENTS.path(name), body)
    except Rejected as error:
        if "the defined type is" in error.message:
            error.hint = given_inputs.TYPES_HINT
        raise
    session.out.done(f"Deployment {name} is created.", created or DEPLOYMENTS.read(session, name))


@group.command("delete")
@deployment_argument
@options.force("Delete it although some of its node instances are still there.")
@options.timeout(DELETION_TIMEOUT_S)
@options.in_tenant
@pass_session
def delete(session: Session, deployment_id: str, force: bool, timeout_s: float) -> None:
    """Delete a deployment, and wait until it is gone."""
    where = DEPLOYMENTS.path(deployment_id)
    session.api.delete(where, ignore_live_nodes="true" if force else None)
    deadline = Deadline(timeout_s, "cfy deployments list")
    deadline.wait_for(lambda: _gone(session, deployment_id), f"deployment {deployment_id} is not deleted")
    session.out.done(f"Deployment {deployment_id} is deleted.", {"deleted": deployment_id})


def _gone(session: Session, deployment_id: str) -> bool | None:
    """Raises ``CliError`` when the manager could not delete it."""
    try:
        session.api.get(DEPLOYMENTS.path(deployment_id), _include="id")
        executions = session.api.items(
            "/executions", deployment_id=deployment_id, workflow_id=DELETION, _sort="created_at"
        )
    except Rejected as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return True
        raise
    if executions and executions[-1]["status"] == "failed":
        raise CliError(f"Deployment {deployment_id} could not be deleted: {executions[-1]['error']}")
    return None


@group.command("inputs")
@deployment_argument
@options.in_tenant
@pass_session
def inputs(session: Session, deployment_id: str) -> None:
    """Show the values of a deployment's inputs."""
    session.out.details(DEPLOYMENTS.read(session, deployment_id)["inputs"])


def _evaluated(what: str) -> Callable[..., None]:
    def command(session: Session, deployment_id: str) -> None:
        session.out.details(session.api.get(DEPLOYMENTS.path(deployment_id, what))[what])

    return deployment_argument(options.in_tenant(pass_session(command)))


group.command("outputs", help="Show the values of a deployment's outputs.")(_evaluated("outputs"))
group.command("capabilities", help="Show the values of a deployment's capabilities.")(
    _evaluated("capabilities")
)
