"""``cfy workflows``."""

from __future__ import annotations

from typing import Any

import click

from cli import options
from cli.api import path
from cli.command import Group
from cli.errors import CliError
from cli.session import Session, pass_session

COLUMNS = ("name", "mandatory", "optional", "deployment_id", "blueprint_id")

deployment = click.option(
    "-d", "--deployment-id", required=True, metavar="DEPLOYMENT", help="The deployment that has them."
)


@click.group("workflows", cls=Group)
def group() -> None:
    """Workflows: what can be done with a deployment."""


def _read(session: Session, deployment_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = session.api.get(path("deployments", deployment_id))
    return found, found["workflows"]


def _split(workflow: dict[str, Any]) -> dict[str, Any]:
    """Which parameters have to be given, and the defaults of the others."""
    declared = workflow.get("parameters") or {}
    mandatory = [
        name for name, it in declared.items() if "default" not in it and it.get("required", True) is not False
    ]
    optional = {name: it.get("default") for name, it in declared.items() if name not in mandatory}
    return {"name": workflow["name"], "mandatory": mandatory, "optional": optional}


@group.command("list")
@deployment
@options.in_tenant
@pass_session
def list_(session: Session, deployment_id: str) -> None:
    """List the workflows of a deployment, and the parameters that each takes."""
    found, workflows = _read(session, deployment_id)
    common = {"deployment_id": deployment_id, "blueprint_id": found["blueprint_id"]}
    rows = [{**_split(it), "optional": list(_split(it)["optional"]), **common} for it in workflows]
    session.out.table(rows, COLUMNS, data=workflows, empty="There are no workflows.")


@group.command("get")
@click.argument("workflow_id", metavar="WORKFLOW")
@deployment
@options.in_tenant
@pass_session
def get(session: Session, workflow_id: str, deployment_id: str) -> None:
    """Show one workflow of a deployment, with the defaults of its parameters."""
    _, workflows = _read(session, deployment_id)
    found = next((it for it in workflows if it["name"] == workflow_id), None)
    if found is None:
        names = ", ".join(it["name"] for it in workflows)
        raise CliError(f"Deployment {deployment_id} has no workflow {workflow_id}. It has: {names}")
    session.out.details({**_split(found), "deployment_id": deployment_id}, found)
