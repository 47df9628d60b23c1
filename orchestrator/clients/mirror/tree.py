"""The tree of units on this node's own disk."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePath

from orchestrator.clients import forced_command
from orchestrator.clients.files import is_locked, sync_file_system
from orchestrator.config import NodeConfig


class Tree:
    """Units, and the folder beside them in which they arrive and from which they vanish."""

    def __init__(self, config: NodeConfig) -> None:
        self._files, self._incoming = config.paths.files, config.paths.incoming
        self._trash = config.paths.incoming / ".trash"
        self._uploads = config.paths.uploads

    def units(self) -> frozenset[str]:
        """See ``Mirror``."""
        return frozenset(forced_command.units(str(self._files)))

    def in_flight(self, units: Iterable[str]) -> frozenset[str]:
        """See ``Mirror``. An upload holds a lock that the operating system releases however it ends."""
        return frozenset(unit for unit in units if is_locked(self._uploads / _name(unit)))

    def place(self, units: Iterable[str]) -> int:
        """Move units that have arrived into the tree, when they are on disk; returns how many those were."""
        arrived = [unit for unit in units if (self._incoming / unit).is_dir()]
        if not arrived:
            return 0
        self.sync()
        for unit in arrived:
            place = self._files / unit
            if not place.exists():
                self._make_above(unit)
                (self._incoming / unit).rename(place)
        self.sync()
        return len(arrived)

    def copy(self, folder: Path) -> int:
        """See ``Mirror``. A unit never changes, so that links to its files are as good as copies."""
        units = self.units()
        for unit in units:
            shutil.copytree(self._files / unit, folder / unit, symlinks=True, copy_function=_link_or_copy)
        return len(units)

    def _make_above(self, unit: str) -> None:
        """Have the folders above a unit, with the permissions that they have where it came from."""
        for folder in reversed(PurePath(unit).parents[:-1]):
            if not (self._files / folder).exists():
                (self._files / folder).mkdir()
                shutil.copymode(self._incoming / folder, self._files / folder)

    def discard_arrived(self) -> None:
        """Forget what had arrived of units that are in the tree by now, and the rest of what was removed."""
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unit in forced_command.units(str(self._incoming)):
            if (self._files / unit).exists():
                _remove_tree(self._incoming / unit)
        _remove_tree(self._trash)

    def remove(self, units: Iterable[str]) -> None:
        """See ``Mirror``: a rename takes a unit out of the tree as a whole."""
        self._trash.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unit in units:
            try:
                (self._files / unit).rename(self._trash / _name(unit))
            except FileNotFoundError:
                continue  # Its own deletion was faster.
            self._remove_empty(PurePath(unit).parents[:-2])
        _remove_tree(self._trash)

    def _remove_empty(self, folders: Iterable[PurePath]) -> None:
        """An upload that finds the folder above its unit gone in this moment makes it anew."""
        with suppress(OSError):
            for folder in folders:
                (self._files / folder).rmdir()

    def sync(self) -> None:
        """Have on disk what was written so far."""
        self._files.mkdir(parents=True, exist_ok=True)
        sync_file_system(self._files)


def _name(unit: str) -> str:
    return unit.rpartition("/")[2]


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        # Another file system, or one without links.
        shutil.copy2(source, target, follow_symlinks=False)


def _remove_tree(folder: Path) -> None:
    def unlock(remove: Callable[[str], object], path: str, _: object) -> None:
        """A unit's folders keep their permissions, and may be read-only."""
        parent = Path(path).parent
        parent.chmod(parent.stat().st_mode | stat.S_IRWXU)
        if Path(path).is_dir():
            Path(path).chmod(stat.S_IRWXU)
        remove(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)
