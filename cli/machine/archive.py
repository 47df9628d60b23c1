"""``cfy_manager archive``: what this node alone had acknowledged, before it followed somebody who had not.

The archives are read where they lie, so that no service has to run.
"""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli.command import Group
from cli.errors import CliError
from cli.machine.node import Node, pass_node

DEFAULT_STATE_FOLDER = "/var/lib/cloudify"
COLUMNS = ("name", "term", "since", "archived", "gave_way_to", "units", "mib")
MIB = 1024 * 1024


@click.group("archive", cls=Group)
def group() -> None:
    """What this node alone had acknowledged, kept before its data was replaced."""


@group.command("list")
@pass_node
def list_archives(node: Node) -> None:
    """List the archives of this node, oldest first. The cluster never deletes one."""
    found = [_row(folder, manifest) for folder, manifest in _archives(node)]
    node.out.table(found, COLUMNS, empty="Nothing was ever archived on this node.")


@group.command("show")
@click.argument("name")
@pass_node
def show(node: Node, name: str) -> None:
    """Show one archive, where it lies, and how to read it."""
    folder, manifest = _find(node, name)
    row = _row(folder, manifest)
    dumped = manifest["database"].endswith(".dump")
    read = (
        f"pg_restore --list {folder / manifest['database']}" if dumped else "start PostgreSQL on a copy of it"
    )
    node.out.details({**row, "position": manifest["position"], "folder": str(folder), "to read it": read})


@group.command("export")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_node
def export(node: Node, name: str, file: Path) -> None:
    """Write one archive to FILE, as a .tar.gz. An existing FILE is left alone."""
    folder, _ = _find(node, name)
    if file.exists():
        raise CliError(f"{file} exists already.", "Name another file.")
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        with tarfile.open(unfinished, "w:gz") as packed:
            packed.add(folder, arcname=name)
        unfinished.rename(file)
    except OSError as error:
        raise CliError(f"{file} could not be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    node.out.done(f"{name} is in {file}.", {"name": name, "file": str(file), "size": file.stat().st_size})


def _archives(node: Node) -> list[tuple[Path, Mapping[str, Any]]]:
    state = Path(node.config.get("paths", {}).get("state", DEFAULT_STATE_FOLDER))
    try:
        manifests = sorted((state / "archives").glob("[!.]*/manifest.json"))
        return [(manifest.parent, json.loads(manifest.read_text())) for manifest in manifests]
    except OSError as error:
        raise CliError(f"{state}: cannot be read: {error.strerror}", "Run this as root.") from error


def _find(node: Node, name: str) -> tuple[Path, Mapping[str, Any]]:
    found = {folder.name: (folder, manifest) for folder, manifest in _archives(node)}
    if name not in found:
        raise CliError(
            f"There is no archive {name!r} on this node.", "Which there are: cfy_manager archive list"
        )
    return found[name]


def _row(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    size = sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
    return {
        "name": folder.name,
        "term": manifest["term"],
        "since": _told(manifest["since"]),
        "archived": _told(manifest["made"]),
        "gave_way_to": manifest["gave_way_to"],
        "units": manifest["units"],
        "mib": round(size / MIB, 1),
    }


def _told(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))
