"""``cfy tenants``."""

from __future__ import annotations

from typing import Any

import click

from cli.command import Group
from cli.options import Decorator
from cli.resources import Resource, delete_command, get_command, list_command
from cli.session import Session, pass_session

DEFAULT_ROLE = "user"

TENANTS = Resource(
    "tenant", columns=("name", "users", "groups"), query={"_get_data": "true"}, in_tenant=False
)

tenant_name = click.option("-t", "--tenant-name", required=True, metavar="TENANT", help="The tenant.")


@click.group("tenants", cls=Group)
def group() -> None:
    """The tenants of the manager, and who works in them."""


group.add_command(list_command(TENANTS))
group.add_command(get_command(TENANTS))
group.add_command(delete_command(TENANTS))


@group.command("create")
@click.argument("tenant")
@pass_session
def create(session: Session, tenant: str) -> None:
    """Create a tenant."""
    created = session.api.post(TENANTS.path(tenant))
    session.out.done(f"Tenant {tenant} is created.", created or TENANTS.read(session, tenant))


def role(**attributes: Any) -> Decorator:
    """``-r``: what a user is in a tenant."""
    return click.option("-r", "--role", metavar="ROLE", help="The role in this tenant.", **attributes)


@group.command("add-user")
@click.argument("username")
@tenant_name
@role(default=DEFAULT_ROLE, show_default=True)
@pass_session
def add_user(session: Session, username: str, tenant_name: str, role: str) -> None:
    """Let a user work in a tenant."""
    body = {"username": username, "tenant_name": tenant_name, "role": role}
    changed = session.api.put("/tenants/users", body)
    _told(session, changed, f"User {username} is {role} in tenant {tenant_name}.", tenant_name)


def _told(session: Session, changed: Any, message: str, tenant: str) -> None:
    session.out.done(message, changed or TENANTS.read(session, tenant))


@group.command("update-user")
@click.argument("username")
@tenant_name
@role(required=True)
@pass_session
def update_user(session: Session, username: str, tenant_name: str, role: str) -> None:
    """Change a user's role in a tenant."""
    body = {"username": username, "tenant_name": tenant_name, "role": role}
    changed = session.api.patch("/tenants/users", body)
    _told(session, changed, f"User {username} is {role} in tenant {tenant_name}.", tenant_name)


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
