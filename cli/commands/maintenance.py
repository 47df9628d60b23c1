"""``cfy maintenance-mode``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from cli import options
from cli.command import Group
from cli.errors import Rejected
from cli.session import Session, pass_session
from cli.waiting import Deadline

ACTIVATION_TIMEOUT_S = 600


@click.group("maintenance-mode", cls=Group)
def group() -> None:
    """Maintenance mode, in which a manager starts nothing new."""


@group.command("status")
@pass_session
def status(session: Session) -> None:
    """Show whether the manager is in maintenance mode."""
    state = _read(session)
    session.out.details({name: value or None for name, value in state.items()}, state)


def _read(session: Session) -> dict[str, Any]:
    state: dict[str, Any] = session.api.get("/maintenance")
    return state


@group.command("activate")
@click.option("--wait", is_flag=True, help="Wait until the executions that run have ended.")
@options.timeout(ACTIVATION_TIMEOUT_S)
@pass_session
def activate(session: Session, wait: bool, timeout_s: float) -> None:
    """Let the manager accept nothing new, once the executions that run have ended."""
    state = _switch(session, "activate")
    if wait:
        deadline = Deadline(timeout_s, "cfy maintenance-mode status")
        state = deadline.wait_for(lambda: _activated(session), "maintenance mode is not active")
    told = "active" if state["status"] == "activated" else "being activated"
    session.out.done(f"Maintenance mode is {told}.", state)


def _activated(session: Session) -> dict[str, Any] | None:
    state = _read(session)
    return state if state["status"] == "activated" else None


@group.command("deactivate")
@pass_session
def deactivate(session: Session) -> None:
    """Let the manager accept everything again."""
    state = _switch(session, "deactivate")
    session.out.done("Maintenance mode is off.", state)


def _switch(session: Session, action: str) -> dict[str, Any]:
    try:
        return session.api.post(f"/maintenance/{action}") or _read(session)
    except Rejected as error:
        # It was so already: what is asked for is there.
        if error.status == HTTPStatus.NOT_MODIFIED:
            return _read(session)
        raise
