"""``cfy_manager logs bundle``: what support needs to know of this node, in one file, without its secrets."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from pathlib import Path

import click

from cli.command import Command
from cli.errors import CliError
from cli.machine.bundle_parts import PARTS, Source
from cli.machine.masking import Masker
from cli.machine.node import Node, pass_node

PRIVATE = 0o600


@click.command("bundle", cls=Command)
@click.option(
    *("-o", "--output", "file"),
    type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Default: cloudify-support-HOST-TIME.tar.gz in this folder.",
)  # fmt: skip
@pass_node
def command(node: Node, /, file: Path | None) -> None:
    """Pack what support needs to know of this node into one file.

    That is logs, configuration, versions, state, plan and history, what Consul and PostgreSQL say, and how
    the machine is. Passwords, keys and tokens are masked. It works also when the node does not: what cannot
    be had is named in manifest.json, with the reason.
    """
    name = f"cloudify-support-{os.uname().nodename}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    file = file or Path(f"{name}.tar.gz")
    if file.exists():
        raise CliError(f"{file} exists already.", "Name another file: -o FILE")
    source = Source(node)
    try:
        masker = Masker.of(source.secret_places())
    except OSError as error:
        # Without them nobody could say what may be given away.
        raise CliError(f"The node's secrets cannot be read: {error}", "Run this as root.") from error
    packed = _pack(source, masker, file, name)
    missing = {part: reason for part, reason in packed.items() if reason}
    size = file.stat().st_size
    lines = [f"{file} ({size / 1024:.0f} KiB). Passwords, keys and tokens are masked."]
    lines += [f"Not in it: {part}: {reason}" for part, reason in missing.items()]
    node.out.done("\n".join(lines), {"file": str(file), "size": size, "missing": missing})


def _pack(source: Source, masker: Masker, file: Path, name: str) -> dict[str, str | None]:
    """Write the bundle; for each part why it is not in it, or None."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as packed:
            told = _Packing(packed, name, masker).all_parts(source)
        unfinished.rename(file)
    except OSError as error:
        raise CliError(
            f"{file} could not be written: {error.strerror or error}", "Name a place elsewhere: -o FILE"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return told


class _Packing:
    def __init__(self, packed: tarfile.TarFile, name: str, masker: Masker) -> None:
        self._packed, self._name, self._masker = packed, name, masker

    def all_parts(self, source: Source) -> dict[str, str | None]:
        """Add part after part, and then the list of them."""
        told: dict[str, str | None] = {}
        for part, gather in PARTS.items():
            source.node.out.progress(part)
            missing: dict[str, list[str]] = {}
            for found in gather(source):
                if found.reason:
                    missing.setdefault(" ".join(found.reason.split()), []).append(found.path)
                else:
                    self._add(f"{part}/{found.path}", found.text)
            reasons = [f"{', '.join(paths)}: {reason}" for reason, paths in missing.items()]
            told[part] = self._masker.text("; ".join(reasons)) or None
        manifest = {"made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "missing": told}
        self._add("manifest.json", json.dumps(manifest, indent=1))
        return told

    def _add(self, path: str, text: str) -> None:
        content = self._masker.text(text).encode()
        entry = tarfile.TarInfo(f"{self._name}/{path}")
        entry.size, entry.mode, entry.mtime = len(content), PRIVATE, int(time.time())
        self._packed.addfile(entry, io.BytesIO(content))
