"""Profiles on disk: one file each under ``$CFY_HOME/profiles``, readable by their owner only."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import CliError, NoProfile
from cli.profile import Profile

PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
HOME_VARIABLE = "CFY_HOME"


class ProfileStore:
    """The profiles of one user, and which of them is in use."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".cfy")
        self.folder = self.home / "profiles"
        self._current = self.home / "current"

    def names(self) -> list[str]:
        """The names of all profiles."""
        return sorted(path.name.removesuffix(".json") for path in self.folder.glob("*.json"))

    def current_name(self) -> str | None:
        """The name of the profile in use."""
        try:
            return self._current.read_text().strip() or None
        except FileNotFoundError:
            return None

    def find(self, name: str) -> Profile | None:
        """The profile of this name, if there is one. Raises ``CliError`` for a damaged file."""
        if not PROFILE_NAME.fullmatch(name):
            return None
        path = self._path(name)
        try:
            return Profile.from_dict(json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise CliError(
                f"{path} is damaged: {error}", f"Make it anew: cfy profiles delete {name}"
            ) from error

    def get(self, name: str | None = None) -> Profile:
        """The profile of this name, or the one in use. Raises ``NoProfile``."""
        name = name or self.current_name()
        if name is None:
            raise NoProfile("No profile is in use.", "Name a manager first: cfy profiles use <address>")
        profile = self.find(name)
        if profile is None:
            known = ", ".join(self.names()) or "none"
            raise NoProfile(
                f"There is no profile {name!r}. There are: {known}.", "cfy profiles use <address> makes one."
            )
        return profile

    def save(self, profile: Profile) -> None:
        """Write a profile. Raises ``CliError`` for a name that cannot be a file's."""
        with self._locked():
            self._write(self._path(profile.name), json.dumps(profile.as_dict(), indent=2))

    def update(self, name: str, change: Callable[[Profile], Profile]) -> None:
        """Change a profile that another ``cfy`` may be changing as well; a deleted one stays deleted."""
        with self._locked():
            profile = self.find(name)
            if profile is not None and (changed := change(profile)) != profile:
                self._write(self._path(name), json.dumps(changed.as_dict(), indent=2))

    def use(self, name: str) -> None:
        """Make a profile the one in use."""
        with self._locked():
            self._write(self._current, name)

    def delete(self, name: str) -> None:
        """Delete a profile. Raises ``NoProfile``."""
        with self._locked():
            if name not in self.names():
                raise NoProfile(
                    f"There is no profile {name!r}. There are: {', '.join(self.names()) or 'none'}."
                )
            self._path(name).unlink()
            if self.current_name() == name:
                self._current.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not PROFILE_NAME.fullmatch(name):
            raise CliError(
                f"{name!r} cannot be a profile's name.",
                "Letters, digits and . : _ - are allowed: --profile-name",
            )
        return self.folder / f"{name}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with (self.home / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _write(path: Path, content: str) -> None:
        # A file that is renamed into place is always whole, and its mode is right from its first byte on.
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
