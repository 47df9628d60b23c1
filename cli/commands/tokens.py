"""``cfy tokens``."""

from __future__ import annotations

import click

from cli.command import Group
from cli.session import Session, pass_session


@click.group("tokens", cls=Group)
def group() -> None:
    """Tokens, which stand for a user name and a password."""


@group.command("get")
@pass_session
def get(session: Session) -> None:
    """Print a token of the profile's user. Whoever has it is that user."""
    token = session.api.get("/tokens")
    if session.settings.json:
        session.out.json(token)
    else:
        click.echo(token["value"])
