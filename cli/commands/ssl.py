"""``cfy ssl``. The manager answers in sentences, which existing clients show as they are."""

from __future__ import annotations

import click

from cli.command import Group
from cli.session import Session, pass_session


@click.group("ssl", cls=Group)
def group() -> None:
    """Whether the manager is spoken to with encryption (SSL)."""


@group.command("status")
@pass_session
def status(session: Session) -> None:
    """Show whether SSL is enabled on the manager."""
    said = session.api.get("/ssl")
    if session.settings.json:
        session.out.json(said)
    else:
        click.echo(said)


@group.command("enable")
@pass_session
def enable(session: Session) -> None:
    """See that SSL is enabled. If it is not, the manager says how that is configured."""
    _see_that(session, state=True)


@group.command("disable")
@pass_session
def disable(session: Session) -> None:
    """See that SSL is disabled. If it is not, the manager says how that is configured."""
    _see_that(session, state=False)


def _see_that(session: Session, *, state: bool) -> None:
    said = session.api.post("/ssl", {"state": state})
    session.out.done(said, said)
