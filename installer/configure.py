"""Changing the settings of a manager that is installed, and having them in force.

What has to be restarted is written down first, in memory: a run that was interrupted is finished by the next
one, and a machine that was started anew has nothing to make up for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installer import changes, checks, machine, settings, units
from installer.changes import ALL, Change
from installer.install import Wishes, answers, make_units, wait_for
from installer.report import InstallError, done, say
from orchestrator.clients.clock import now_s
from orchestrator.clients.systemd import UNITS, unit_of
from orchestrator.config import NodeConfig
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import lease_file, membership

PENDING = "restart-needed.json"


def asks_for_changes(config_file: Path, wishes: Wishes) -> bool:
    """Whether there is a manager already, with other settings than these."""
    if not (UNITS / units.TARGET).exists() or not config_file.exists():
        return False
    new = settings.checked(settings.wanted(config_file, wishes.given, wishes.settings))
    return bool(changes.changes(settings.present(config_file), new))


def configure(config_file: Path, wishes: Wishes, *, dry_run: bool, restart: bool) -> None:
    """Change settings, and restart what needs it. Raises ``InstallError``, and has changed nothing then."""
    if not (UNITS / units.TARGET).exists():
        raise InstallError("There is no manager on this machine.", "cfy_manager install makes one.")
    old = settings.present(config_file)
    wanted = settings.wanted(config_file, wishes.given, wishes.settings, wishes.unset)
    new = settings.checked(wanted)
    found = changes.changes(old, new)
    pending = _pending(new)
    services = _together(changes.services_of(found), pending or ())
    if wrong := [*_refusals(old, new, found), *(changes.risk(services) if restart and _leads(old) else ())]:
        raise InstallError("\n".join(wrong), "Nothing was changed.")
    if dry_run or not (found or pending is not None):
        _tell(found, services, [], restarted=False)
        return
    for change in found:
        say(str(change))
    _remember(new, services)
    machine.write(config_file, settings.rendered(wanted), 0o640, group=machine.ACCOUNT)
    make_units(config_file, new)
    adapted = json.loads(machine.as_node(config_file, sys.executable, "-m", "installer.adapt"))
    if restart:
        _restart(new, services)
        (new.paths.run / PENDING).unlink(missing_ok=True)
    _tell(found, services, _notes(adapted, services), restarted=restart)


def _refusals(old: NodeConfig, new: NodeConfig, found: list[Change]) -> list[str]:
    """All that speaks against these settings, for a manager that has those; nothing is changed."""
    ports = {each.key.partition(".")[2] for each in found if each.key.startswith("ports.")}
    return [
        *changes.complaints(found, member=_is_member(old)),
        *checks.complaints(new, installed=True),
        *checks.taken(new, ports),
    ]


def _is_member(config: NodeConfig) -> bool:
    return membership.read(config.paths.membership_file).state is not MembershipState.ALONE


def _leads(config: NodeConfig) -> bool:
    lease = lease_file.read(config.paths.lease_file)
    return _is_member(config) and lease is not None and lease.leads(now_s())


def _notes(adapted: Mapping[str, Any], services: tuple[str, ...]) -> list[str]:
    notes = list(adapted["notes"])
    if adapted["database"] and services != ALL:
        notes.append(
            f"PostgreSQL takes these when it starts next: {', '.join(adapted['database'])}. Then: cfy_manager"
            " restart; on a leader, after a switchover."
        )
    return notes


def _pending(config: NodeConfig) -> tuple[str, ...] | None:
    """What an earlier run has left to restart; None: there was none, or it came to its end."""
    try:
        return tuple(json.loads((config.paths.run / PENDING).read_text()))
    except (OSError, ValueError):
        return None


def _remember(config: NodeConfig, services: tuple[str, ...]) -> None:
    machine.write(config.paths.run / PENDING, json.dumps(services), 0o600)


def _together(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return ALL if ALL in {one, other} else tuple(sorted({*one, *other}))


def _restart(config: NodeConfig, services: tuple[str, ...]) -> None:
    """Restart what runs of these, one after the other; the rest reads its settings when it starts."""
    if services == ALL:
        say("Restarting all services")
        machine.systemctl("restart", units.TARGET)
    for service in services if services != ALL else ():
        say(f"Restarting {service}")
        machine.systemctl("try-restart", unit_of(service))
    wait_for(lambda: answers(config.host_ip, config.ports.rest), "The REST service does not answer.")


def _tell(found: list[Change], services: tuple[str, ...], notes: list[str], *, restarted: bool) -> None:
    verb = "Restarted" if restarted else "To be restarted"
    lines = [str(change) for change in found] or ["Every setting is as it is wanted already."]
    if services:
        lines.append(f"{verb}: {', '.join(services)}")
    data = {
        "changes": {change.key: {"old": change.old, "new": change.new} for change in found},
        "services": list(services),
        "restarted": restarted and bool(services),
        "notes": notes,
    }
    done("\n".join([*lines, *notes]), **json.loads(json.dumps(data, default=str)))
