"""``python -m installer VERB``: what ``cfy_manager`` runs. Wishes come as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from installer import configure as configuring
from installer import install as installing
from installer import machine, units
from installer import rescue as rescuing
from installer.install import Wishes
from installer.report import InstallError, done, failed
from orchestrator.model.errors import ClusterError


def main(arguments: list[str]) -> int:
    """Do what ``arguments`` say: a verb, and the configuration file."""
    verb, config_file = arguments[0], Path(arguments[1])
    try:
        installing.must_be_root()
        _carry_out(verb, config_file)
    except InstallError as error:
        failed(error)
        return 1
    except (ClusterError, OSError) as error:
        failed(InstallError(str(error)))
        return 1
    return 0


def _carry_out(verb: str, config_file: Path) -> None:
    asked = json.load(sys.stdin)
    match verb:
        case "install":
            if configuring.asks_for_changes(config_file, _wishes(asked)):
                configuring.configure(config_file, _wishes(asked), dry_run=False, restart=True)
            else:
                installing.install(config_file, _wishes(asked))
        case "configure":
            configuring.configure(
                config_file, _wishes(asked), dry_run=asked["dry_run"], restart=asked["restart"]
            )
        case "remove":
            installing.remove(config_file)
        case "unlock" | "reset-password":
            rescuing.rescue(config_file, verb, asked["username"], asked["password"])
        case "start" | "stop" | "restart":
            machine.systemctl(verb, units.TARGET)
            done(f"The manager's services: {verb} is done.", verb=verb)
        case _:
            raise InstallError(f"There is no verb {verb!r}.")


def _wishes(asked: dict[str, Any]) -> Wishes:
    given = Path(asked["given"]) if asked["given"] else None
    return Wishes(given, asked["settings"], asked["admin_password"], asked["unset"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
