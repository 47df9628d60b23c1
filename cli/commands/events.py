"""``cfy events``."""

from __future__ import annotations

import click

from cli import options
from cli.api import path
from cli.command import Group
from cli.following import EVENT, LOG, Events, check_success
from cli.session import Session, pass_session

TAIL_TIMEOUT_S = 3600


@click.group("events", cls=Group)
def group() -> None:
    """What executions reported."""


@group.command("list")
@click.argument("execution_id", metavar="EXECUTION")
@click.option("--include-logs/--no-logs", default=True, show_default=True, help="Log messages as well.")
@click.option("--tail", is_flag=True, help="Go on until the execution has ended; fail if it failed.")
@options.timeout(TAIL_TIMEOUT_S)
@options.in_tenant
@pass_session
def list_(session: Session, execution_id: str, include_logs: bool, tail: bool, timeout_s: float) -> None:
    """List the events of an execution, the oldest first.

    With --json each line is an object of its own, so that a program can read them as they come.
    """
    events = Events(session, execution_id, (EVENT, LOG) if include_logs else (EVENT,))
    if tail:
        check_success(events.follow(timeout_s))
    else:
        events.print_fresh()
        if not events.offset:
            session.api.get(path("executions", execution_id))
            session.out.progress("There are no events.")
