"""``cfy users``."""

from __future__ import annotations

from dataclasses import replace

import click

from cli.command import Group
from cli.profile import Profile
from cli.resources import Resource, delete_command, get_command, list_command
from cli.session import Session, ask_password, pass_session

DEFAULT_ROLE = "default"
DEFAULT_TENANT_ROLE = "user"

USERS = Resource(
    "user",
    columns=("username", "role", "active", "is_locked", "tenants", "groups", "last_login_at"),
    query={"_get_data": "true"},
    in_tenant=False,
)


@click.group("users", cls=Group)
def group() -> None:
    """The users of the manager (for administrators)."""


new_password = click.option("-p", "--password", metavar="PASSWORD", help="Asked for when it is not given.")


group.add_command(list_command(USERS))
group.add_command(get_command(USERS))
group.add_command(delete_command(USERS))


@group.command("create")
@click.argument("username")
@new_password
@click.option(
    "-r", "--role", default=DEFAULT_ROLE, show_default=True, metavar="ROLE", help="The role in the system."
)
@click.option("-t", "--tenant-name", metavar="TENANT", help="A tenant to work in. Default: none yet.")
@click.option(
    *("-l", "--user-tenant-role"),
    default=DEFAULT_TENANT_ROLE,
    show_default=True,
    metavar="ROLE",
    help="The role in that tenant.",
)
@pass_session
def create(
    session: Session,
    username: str,
    password: str | None,
    role: str,
    tenant_name: str | None,
    user_tenant_role: str,
) -> None:
    """Create a user."""
    password = password or ask_password(f"Password of the new user {username}", twice=True)
    created = session.api.put("/users", {"username": username, "password": password, "role": role})
    if tenant_name:
        body = {"username": username, "tenant_name": tenant_name, "role": user_tenant_role}
        session.api.put("/tenants/users", body)
        created = None  # Who it is has changed since.
    session.out.done(f"User {username} is created.", created or USERS.read(session, username))


@group.command("set-password")
@click.argument("username")
@new_password
@pass_session
def set_password(session: Session, username: str, password: str | None) -> None:
    """Set a user's password; if the profile is this user's, also in the profile."""
    password = password or ask_password(f"New password of {username}", twice=True)
    changed = session.api.post(USERS.path(username), {"password": password})
    session.store.update(session.profile.name, lambda stored: _with_password(stored, username, password))
    session.out.done(f"The password of {username} is set.", changed or USERS.read(session, username))


def _with_password(profile: Profile, username: str, password: str) -> Profile:
    if profile.username != username or profile.password is None:
        return profile
    return replace(profile, password=password)


@group.command("set-role")
@click.argument("username")
@click.option("-r", "--role", required=True, metavar="ROLE", help="The role in the system.")
@pass_session
def set_role(session: Session, username: str, role: str) -> None:
    """Set a user's role in the system."""
    changed = session.api.post(USERS.path(username), {"role": role})
    session.out.done(f"The role of {username} is {role}.", changed or USERS.read(session, username))


@group.command("activate")
@click.argument("username")
@pass_session
def activate(session: Session, username: str) -> None:
    """Let a user in again."""
    _set_active(session, username, "activate")


@group.command("deactivate")
@click.argument("username")
@pass_session
def deactivate(session: Session, username: str) -> None:
    """Keep a user out, without deleting anything."""
    _set_active(session, username, "deactivate")


def _set_active(session: Session, username: str, action: str) -> None:
    changed = session.api.post(USERS.path("active", username), {"action": action})
    session.out.done(f"User {username} is {action}d.", changed or USERS.read(session, username))


@group.command("unlock")
@click.argument("username")
@pass_session
def unlock(session: Session, username: str) -> None:
    """Let a user try again who gave a wrong password too often."""
    changed = session.api.post(USERS.path("unlock", username))
    session.out.done(f"User {username} is unlocked.", changed or USERS.read(session, username))
