"""Letting a user of REST in again, from the manager's own machine: see ``manager/rescue.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from installer import machine, units
from installer.machine import UNITS
from installer.report import InstallError, done

TOLD = {"unlock": "{} is unlocked.", "reset-password": "{} has another password, and is unlocked."}


def rescue(config_file: Path, verb: str, username: str, given: str | None) -> None:
    """Do it as the manager's own user. Raises ``InstallError``."""
    if not (UNITS / units.TARGET).exists():
        raise InstallError("There is no manager on this machine.", "cfy_manager install makes one.")
    variables = {"CLOUDIFY_ADMIN_PASSWORD": given} if given else {}
    program = (sys.executable, "-m", "manager.rescue", verb, username)
    told = json.loads(machine.as_node(config_file, *program, **variables))
    if error := told.get("error"):
        raise InstallError(error)
    lines = [TOLD[verb].format(username)]
    if told["password"]:
        lines.append(f"The password is {told['password']}. It is not shown again.")
    done("\n".join(lines), username=username, password=told["password"])
