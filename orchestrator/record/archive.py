"""Archives: what a node alone had acknowledged, kept before its database became another leader's.

Each is a folder with a manifest, the files, and the database as a dump, or as it lay there when it could not
be read. The cluster never deletes one.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.clients.files import sync_file_system, sync_folder
from orchestrator.config import NodeConfig

MANIFEST = "manifest.json"
DUMP = "database.dump"
DATA = "data"
FILES = "files"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive. ``since`` and ``made`` in Unix time; ``position`` is where its database ends, if known.

    ``term``: in which its node began to acknowledge alone. ``gave_way_to``: whose history took its place.
    """

    name: str
    node: str
    term: int
    since: float
    made: float
    gave_way_to: str
    position: str
    database: str
    units: int


def name_of(term: int, made: float) -> str:
    """Sorts by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(made))}-term-{term}"


def begin(config: NodeConfig) -> Path:
    """An empty folder to fill. What an earlier try left is removed: copies of what is still here."""
    folder = config.paths.archives
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover)
    unfinished = folder / f"{UNFINISHED}{time.time_ns()}"
    unfinished.mkdir(mode=0o700)
    return unfinished


def finish(config: NodeConfig, filled: Path, archive: Archive) -> Path:
    """Give a filled folder its manifest and its name, synced to disk; returns where it lies."""
    (filled / MANIFEST).write_text(json.dumps(asdict(archive), indent=2) + "\n")
    sync_file_system(filled)
    place = filled.rename(config.paths.archives / archive.name)
    sync_folder(config.paths.archives)
    return place


def discard_without(place: Path, content: str) -> None:
    """Remove an archive that did not get its main content."""
    if not (place / content).exists():
        shutil.rmtree(place)


def all_of(config: NodeConfig) -> list[Archive]:
    """The archives of this node, oldest first."""
    found = sorted(config.paths.archives.glob(f"[!.]*/{MANIFEST}"))
    return [Archive(**json.loads(manifest.read_text())) for manifest in found]
