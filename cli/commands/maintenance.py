"""``cfy maintenance-mode``."""

from __future__ import annotations

import click

from cli.command import Group
from cli.session import Session, pass_session


@click.group("maintenance-mode", cls=Group)
def group() -> None:
    """Whether the manager is in maintenance mode."""


@group.command("status")
@pass_session
def status(session: Session) -> None:
    """Show whether the manager is in maintenance mode."""
    session.out.details(session.api.get("/maintenance"))
