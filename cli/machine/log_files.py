"""A node's log files: their last lines, and what is added to them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.machine.log_lines import Line, lines_of

MAIN_LOG, MAIN = "cloudify-cluster.log", "cluster"
POSTGRES = "postgresql"
LATE_S = 1.0
"""By how much the first line may be late that is followed."""

FIRST_LOOK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: so many of the end, not before ``since_s`` (Unix time); of these services, or of all."""

    last: int
    since_s: float = 0.0
    services: frozenset[str] = frozenset()

    def of(self, service: str) -> bool:
        """Whether the service is meant."""
        return not self.services or service in self.services


def log_files(folder: Path) -> Mapping[str, list[Path]]:
    """The files of each service, the main log first. Raises ``OSError`` when the folder cannot be read."""
    os.scandir(folder).close()  # glob would take what it may not read for empty.
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.log"), key=lambda path: path.name != MAIN_LOG):
        files[MAIN if path.name == MAIN_LOG else path.stem] = [path]
    # PostgreSQL has one for each day of the week, and truncates it when the day comes again.
    if days := sorted((folder / "postgres").glob("*.log"), key=_changed):
        files[POSTGRES] = days
    return files


def last_lines(service: str, path: Path, wanted: Wanted) -> list[Line]:
    """The lines that are wanted of the end of a file, which is read as far as that takes."""
    size, look = path.stat().st_size, FIRST_LOOK_BYTES
    while True:
        with path.open("rb") as file:
            file.seek(max(0, size - look))
            texts = file.read(size - max(0, size - look)).decode(errors="replace").splitlines()
        lines = list(lines_of(service, texts if look >= size else texts[1:]))
        if look >= size or len(lines) > wanted.last or (lines and 0 < lines[0].at_s < wanted.since_s):
            return [line for line in lines if line.at_s >= wanted.since_s][-wanted.last :]
        look *= 4


def _changed(path: Path) -> float:
    return path.stat().st_mtime


@dataclass(slots=True)
class FollowedFile:
    """A file from a point on; also through a rotation, when another file gets its name."""

    service: str
    path: Path
    at_byte: int
    inode: int
    rest: str = ""
    seen_s: float = 0.0

    @classmethod
    def from_end(cls, service: str, path: Path) -> FollowedFile:
        """What will be added from now on."""
        status = path.stat()
        return cls(service, path, status.st_size, status.st_ino)

    def new_lines(self) -> Iterator[Line]:
        """What was added since the last look, as far as the lines are complete."""
        try:
            status = self.path.stat()
            if status.st_ino != self.inode or status.st_size < self.at_byte:
                self.inode, self.at_byte, self.rest = status.st_ino, 0, ""
            with self.path.open("rb") as file:
                file.seek(self.at_byte)
                content = file.read()
        except FileNotFoundError:
            return
        self.at_byte += len(content)
        *texts, self.rest = (self.rest + content.decode(errors="replace")).split("\n")
        for line in lines_of(self.service, texts, self.seen_s or time.time() - LATE_S):
            self.seen_s = line.at_s
            yield line


@dataclass(slots=True)
class FollowedFolder:
    """All the log files of a folder, also those that appear later."""

    folder: Path
    wanted: Wanted
    files: dict[Path, FollowedFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for service, path in self._present():
            self.files[path] = FollowedFile.from_end(service, path)

    def new_lines(self) -> list[list[Line]]:
        """What was added since the last look, by file."""
        for service, path in self._present():
            self.files.setdefault(path, FollowedFile(service, path, 0, 0))
        return [list(file.new_lines()) for file in self.files.values()]

    def _present(self) -> list[tuple[str, Path]]:
        found = {name: paths for name, paths in log_files(self.folder).items() if self.wanted.of(name)}
        return [(service, path) for service, paths in found.items() for path in paths]
