"""Writes ``docs/reference/ports.md`` and ``files.md``: ``python -m scripts.write_places``.

With ``--check`` it writes nothing, and fails when a page is not what the tables say.
"""  # noqa: INP001 - beside shell scripts

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from installer.places import ELSEWHERE, PLACES, PORTS, Place, Port
from installer.settings import NEW
from orchestrator.config import NodeConfig

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
MARK = "<!-- Written by python -m scripts.write_places from installer/places.py. Change that. -->\n"

PORTS_INTRODUCTION = f"""# Ports

{MARK}
Each can be [configured](configuration.md#ports), and has to be the same on all members. Everything listens
on `host_ip` only, but Consul's API on `api_host`. Where it says members, they have to reach each other;
nothing else is needed between them. `ss -tlnp` shows what a machine listens on.

| port | setting | what | protocol | who connects | protection |
|---|---|---|---|---|---|
"""

FILES_INTRODUCTION = f"""# Files

{MARK}
The folders are [settings](configuration.md#paths). What is marked as secret can be read by the manager's user
and by root alone (what Consul reads, by its user too), and is never in a
[bundle for support](../how-to/troubleshoot.md#a-bundle-for-support).
`cfy_manager remove -f` removes all of it.
"""

FOLDERS: Mapping[str, str] = {
    "etc": "Configuration, keys and certificates. A backup of it is as secret as the keys.",
    "state": "What lasts.",
    "run": "In memory, made anew when the machine starts.",
    "log": "Logs: `cfy_manager logs` shows all of them as one.",
}


def ports() -> str:
    """The page with the ports."""
    return PORTS_INTRODUCTION + "".join(map(_port, PORTS))


def files() -> str:
    """The page with the files."""
    parts = [FILES_INTRODUCTION]
    for folder, text in FOLDERS.items():
        default = getattr(NodeConfig().paths, folder)
        rows = "".join(_place(each) for each in PLACES if each.folder == folder)
        parts.append(f"\n## `{default}`\n\n{text}\n\n| file | secret | what it is |\n|---|---|---|\n{rows}")
    elsewhere = "".join(f"| `{path}` | {what} |\n" for path, what in ELSEWHERE.items())
    return "".join([*parts, f"\n## Elsewhere\n\n| file | what it is |\n|---|---|\n{elsewhere}"])


def _port(port: Port) -> str:
    default = getattr(NodeConfig().ports, port.name)
    installed = NEW["ports"].get(port.name, default)
    cells = (str(installed), f"`ports.{port.name}`", port.what, port.protocol, port.who, port.protection)
    return f"| {' | '.join(cells)} |\n"


def _place(place: Place) -> str:
    return f"| `{place.pattern}` | {'secret' if place.secret else ''} | {place.what} |\n"


PAGES = {FOLDER / "ports.md": ports, FOLDER / "files.md": files}


def main() -> None:
    """Write the pages, or check them."""
    for path, page in PAGES.items():
        if "--check" not in sys.argv[1:]:
            path.write_text(page())
        elif not path.exists() or path.read_text() != page():
            sys.exit(f"{path.name} is out of date: run python -m scripts.write_places")


if __name__ == "__main__":
    main()
