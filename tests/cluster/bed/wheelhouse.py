"""The project as wheels, with everything that it depends on, so that a node installs it without a network.

The dependencies, at their locked versions, are fetched once for a ``requirements.lock``; the project's own
wheel is built once for a state of its files.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from tests.cluster.bed import cache, image
from tests.cluster.bed.errors import BedError
from tests.cluster.bed.host import call

ROOT = Path(__file__).parents[3]
PROJECT = cache.PROJECT
WHEELS = "wheels"
LOCK = ROOT / "requirements.lock"
DESCRIPTION = ROOT / "pyproject.toml"
BESIDE = ("pyproject.toml", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "wheel", "--quiet")
BUILD_TIMEOUT_S = 1200.0


def folders() -> tuple[Path, Path]:
    """Two folders of wheels: what the project depends on, and the project. They are made first if need be.

    The wheels are for the Python that runs this: nodes have to have the same.
    """
    return _dependencies(), _own_wheel()


def _dependencies() -> Path:
    theirs = _version_in_nodes()
    wanted = tomllib.loads(DESCRIPTION.read_text())["project"]["dependencies"]
    key = cache.digest([sys.version, theirs, LOCK.read_bytes(), *wanted])

    def fetch(folder: Path) -> None:
        where = ("--wheel-dir", str(folder / WHEELS))
        call(*PIP, *where, "--constraint", str(LOCK), *wanted, timeout_s=BUILD_TIMEOUT_S)
        if only_theirs := list(_needed_only_by(theirs)):
            call(*PIP, *where, "--no-deps", *only_theirs, timeout_s=BUILD_TIMEOUT_S)

    return cache.made_once("dependencies", key, fetch) / WHEELS


def _version_in_nodes() -> str:
    """The version of the nodes' Python. Raises ``BedError`` when wheels of this one do not fit it."""
    theirs = call("chroot", str(image.built()), "python3", "-V").split()[-1]
    if Version(theirs).release[:2] != sys.version_info[:2]:
        raise BedError(f"the nodes have Python {theirs}: run this with a Python of that age")
    return theirs


def _needed_only_by(version: str) -> Iterator[str]:
    """What is locked for a Python of that version and not for this one: a patch release can be enough."""
    for line in LOCK.read_text().splitlines():
        if " ; " in line:
            locked = Requirement(line)
            assert locked.marker is not None
            if locked.marker.evaluate({"python_full_version": version}) and not locked.marker.evaluate():
                yield f"{locked.name}{locked.specifier}"


def _own_wheel() -> Path:
    files = sorted(_sources())
    names = [str(file.relative_to(ROOT)) for file in files]
    contents = [file.read_bytes() for file in files]
    key = cache.digest([sys.version, *names, *contents])

    def build(folder: Path) -> None:
        # In a copy, for a build leaves its own folders where the sources are, and takes up what is in them.
        with tempfile.TemporaryDirectory() as copy:
            for name, content in zip(names, contents, strict=True):
                place = Path(copy, name)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            options = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / WHEELS))
            call(*PIP, *options, copy, timeout_s=BUILD_TIMEOUT_S)

    return cache.made_once("wheels", key, build) / WHEELS


def _sources() -> Iterator[Path]:
    yield from (ROOT / name for name in BESIDE)
    patterns = tomllib.loads(DESCRIPTION.read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    for pattern in patterns:
        for package in filter(Path.is_dir, ROOT.glob(pattern)):
            files = filter(Path.is_file, package.rglob("*"))
            yield from (file for file in files if "__pycache__" not in file.parts)
