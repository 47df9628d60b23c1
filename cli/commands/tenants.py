"""``cfy tenants``."""

from __future__ import annotations

from typing import Any

import click

from cli.api import path
from cli.command import Group
from cli.session import Session, pass_session

COLUMNS = ("name", "users", "groups")
DEFAULT_ROLE = "user"

tenant_name = click.option("-t", "--tenant-name", required=True, metavar="TENANT", help="The tenant.")


@click.group("tenants", cls=Group)
def group() -> None:
    """The tenants of the manager, and who works in them."""


@group.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the tenants."""
    session.out.table(session.api.items("/tenants", _get_data="true"), COLUMNS, empty="There are no tenants.")


@group.command("get")
@click.argument("tenant")
@pass_session
def get(session: Session, tenant: str) -> None:
    """Show a tenant."""
    session.out.details(_read(session, tenant))


def _read(session: Session, tenant: str) -> dict[str, Any]:
    found: dict[str, Any] = session.api.get(path("tenants", tenant), _get_data="true")
    return found


@group.command("create")
@click.argument("tenant")
@pass_session
def create(session: Session, tenant: str) -> None:
    """Create a tenant."""
    created = session.api.post(path("tenants", tenant))
    session.out.done(f"Tenant {tenant} is created.", created or _read(session, tenant))


@group.command("delete")
@click.argument("tenant")
@pass_session
def delete(session: Session, tenant: str) -> None:
    """Delete a tenant."""
    session.api.delete(path("tenants", tenant))
    session.out.done(f"Tenant {tenant} is deleted.", {"deleted": tenant})


@group.command("add-user")
@click.argument("username")
@tenant_name
@click.option(
    "-r", "--role", default=DEFAULT_ROLE, show_default=True, metavar="ROLE", help="The role in this tenant."
)
@pass_session
def add_user(session: Session, username: str, tenant_name: str, role: str) -> None:
    """Let a user work in a tenant."""
    body = {"username": username, "tenant_name": tenant_name, "role": role}
    changed = session.api.put("/tenants/users", body)
    session.out.done(
        f"User {username} is {role} in tenant {tenant_name}.", changed or _read(session, tenant_name)
    )


@group.command("update-user")
@click.argument("username")
@tenant_name
@click.option("-r", "--role", required=True, metavar="ROLE", help="The role in this tenant.")
@pass_session
def update_user(session: Session, username: str, tenant_name: str, role: str) -> None:
    """Change a user's role in a tenant."""
    body = {"username": username, "tenant_name": tenant_name, "role": role}
    changed = session.api.patch("/tenants/users", body)
    session.out.done(
        f"User {username} is {role} in tenant {tenant_name}.", changed or _read(session, tenant_name)
    )


@group.command("remove-user")
@click.argument("username")
@tenant_name
@pass_session
def remove_user(session: Session, username: str, tenant_name: str) -> None:
    """Take a user out of a tenant."""
    session.api.delete("/tenants/users", {"username": username, "tenant_name": tenant_name})
    session.out.done(
        f"User {username} is out of tenant {tenant_name}.", {"removed": username, "tenant_name": tenant_name}
    )
