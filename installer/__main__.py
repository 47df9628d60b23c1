"""``python -m installer VERB``: what ``cfy_manager`` runs. Wishes come as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from installer import install as installing
from installer import machine, units
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
    match verb:
        case "install":
            asked = json.load(sys.stdin)
            given = Path(asked["given"]) if asked["given"] else None
            wishes = installing.Wishes(given, asked["settings"], asked["admin_password"])
            installing.install(config_file, wishes)
        case "remove":
            installing.remove(config_file)
        case "start" | "stop" | "restart":
            machine.systemctl(verb, units.TARGET)
            done(f"The manager's services: {verb} is done.", verb=verb)
        case _:
            raise InstallError(f"There is no verb {verb!r}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
