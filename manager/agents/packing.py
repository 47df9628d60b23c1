"""What is carried to a machine so that an agent runs there: our own packages, and what they need.

All of it comes from the environment that this manager runs in. So Python there has to be of the same minor
version, on the same kind of processor: that is checked before anything is carried.
"""

from __future__ import annotations

import hashlib
import io
import platform
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NEEDED = ("celery", "redis", "cloudify-common[dispatcher]", "pydantic", "requests")
TOP = Path(__file__).resolve().parents[2]
OWN = (
    *("agent/*.py", "manager/__init__.py", "manager/errors.py", "manager/settings.py"),
    *("manager/operations/*.py", "manager/files/*.py", "manager/files/archives/*.py"),
)
MAIN = b'"""The program ``cfy_agent``."""\n\nfrom agent.__main__ import main\n\nmain()\n'
LEFT_OUT = frozenset({"__pycache__", "tests"})


@dataclass(frozen=True, slots=True)
class Platform:
    """What has to be the same on both machines."""

    python: str
    machine: str

    @classmethod
    def here(cls) -> Platform:
        """Of this process."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine())

    def __str__(self) -> str:
        return f"Python {self.python} on {self.machine}"


@cache
def digest() -> str:
    """Which code it is: the same for the same files."""
    found = hashlib.sha256()
    for name, path in _files():
        stat = path.stat()
        ours = path.read_bytes() if path.is_relative_to(TOP / "agent") else b""
        found.update(f"{name}\0{stat.st_size}\0".encode() + ours)
    return found.hexdigest()


def pack() -> IO[bytes]:
    """A tar.gz of all of it, at its beginning. Raises ``PackageNotFoundError``."""
    file = TemporaryFile()  # noqa: SIM115  # the caller closes it
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for name, path in _files():
            archive.add(path, name, recursive=False)
        main = tarfile.TarInfo("__main__.py")
        main.size, main.mode = len(MAIN), 0o644
        archive.addfile(main, io.BytesIO(MAIN))
    file.seek(0)
    return file


def _files() -> Iterator[tuple[str, Path]]:
    for pattern in OWN:
        for path in sorted(TOP.glob(pattern)):
            yield str(path.relative_to(TOP)), path
    for found in sorted(_closure(), key=lambda it: it.name):
        for file in found.files or ():
            place = Path(str(found.locate_file(file)))
            if LEFT_OUT.isdisjoint(file.parts) and ".." not in file.parts and place.is_file():
                yield str(file), place


def _closure() -> list[Distribution]:
    """The distributions that are needed, and those that they need."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in NEEDED]
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        found[key[0]] = here = distribution(wanted.name)
        extras = ["", *wanted.extras]
        for text in here.requires or ():
            more = Requirement(text)
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(more)
    return list(found.values())
