"""``cfy status``: whether the manager works, and its services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli.command import Command
from cli.session import Session, pass_session


@click.command("status", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Show whether the active manager works, service by service."""
    status = session.api.get("/status")
    maintenance = session.api.get("/maintenance")
    if session.settings.json:
        session.out.json({**status, "maintenance": maintenance})
        return
    services = [
        {"service": it["display_name"], "state": service_state(it)} for it in status.get("services", [])
    ]
    session.out.details({"manager": status["status"], "maintenance": maintenance["status"]})
    session.out.gap()
    session.out.table(services, ("service", "state"), empty="It names no services.")


def service_state(service: Mapping[str, Any]) -> str:
    """The state of a service: what all its instances are, or each of them."""
    states = dict.fromkeys(str(instance.get("state", "unknown")) for instance in service.get("instances", []))
    return ", ".join(states) or "unknown"
