"""``cfy users``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from cli.api import path
from cli.command import Group
from cli.profile import Profile
from cli.session import Session, ask_password, pass_session

COLUMNS = ("username", "role", "active", "tenants", "groups", "last_login_at")
DEFAULT_ROLE = "default"


@click.group("users", cls=Group)
def group() -> None:
    """The users of the manager (for administrators)."""


new_password = click.option("-p", "--password", metavar="PASSWORD", help="Asked for when it is not given.")


@group.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the users."""
    session.out.table(session.api.items("/users", _get_data="true"), COLUMNS, empty="There are no users.")


@group.command("get")
@click.argument("username")
@pass_session
def get(session: Session, username: str) -> None:
    """Show a user."""
    session.out.details(_read(session, username))


def _read(session: Session, username: str) -> dict[str, Any]:
    user: dict[str, Any] = session.api.get(path("users", username), _get_data="true")
    return user


@group.command("create")
@click.argument("username")
@new_password
@click.option(
    "-r", "--role", default=DEFAULT_ROLE, show_default=True, metavar="ROLE", help="The role in the system."
)
@pass_session
def create(session: Session, username: str, password: str | None, role: str) -> None:
    """Create a user."""
    password = password or ask_password(f"Password of the new user {username}", twice=True)
    created = session.api.put("/users", {"username": username, "password": password, "role": role})
    session.out.done(f"User {username} is created.", created or _read(session, username))


@group.command("set-password")
@click.argument("username")
@new_password
@pass_session
def set_password(session: Session, username: str, password: str | None) -> None:
    """Set a user's password; if the profile is this user's, also in the profile."""
    password = password or ask_password(f"New password of {username}", twice=True)
    changed = session.api.post(path("users", username), {"password": password})
    session.store.update(session.profile.name, lambda stored: _with_password(stored, username, password))
    session.out.done(f"The password of {username} is set.", changed or _read(session, username))


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
    changed = session.api.post(path("users", username), {"role": role})
    session.out.done(f"The role of {username} is {role}.", changed or _read(session, username))


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
    changed = session.api.post(path("users", "active", username), {"action": action})
    session.out.done(f"User {username} is {action}d.", changed or _read(session, username))


@group.command("delete")
@click.argument("username")
@pass_session
def delete(session: Session, username: str) -> None:
    """Delete a user."""
    session.api.delete(path("users", username))
    session.out.done(f"User {username} is deleted.", {"deleted": username})
