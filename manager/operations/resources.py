"""The files of a blueprint, as operations ask for them by their paths in the archive."""

from __future__ import annotations

import shutil
from pathlib import Path

from cloudify.exceptions import HttpException
from cloudify.utils import create_temp_folder

NOT_FOUND = 404


class Resources:
    """``content``: the inside of the archive. Each raises ``HttpException`` (404), as ``cloudify`` does."""

    def __init__(self, content: Path) -> None:
        self._content = content.resolve()

    def path(self, name: str) -> Path:
        """Where a file is. Nothing outside of the archive can be asked for."""
        path = (self._content / name.lstrip("/")).resolve()
        if not path.is_relative_to(self._content) or not path.exists():
            raise HttpException(
                name, NOT_FOUND, f"Resource not found: {name} is not in the blueprint's archive"
            )
        return path

    def read(self, name: str) -> bytes:
        """The content of a file."""
        path = self.path(name)
        if not path.is_file():
            raise HttpException(name, NOT_FOUND, f"Resource not found: {name} is a folder")
        return path.read_bytes()

    def copy(self, name: str, target: str | None) -> str:
        """Copy a file to ``target``, or to a new temporary folder; gives where it is now."""
        content = self.read(name)
        place = Path(target) if target else Path(create_temp_folder(), Path(name).name)
        place.write_bytes(content)
        return str(place)

    def files(self, folder: str) -> list[str]:
        """The paths of all files in a folder, each beginning with the folder's."""
        top = self.path(folder)
        return sorted(str(Path(folder, path.relative_to(top))) for path in top.rglob("*") if path.is_file())

    def copy_folder(self, folder: str, target: str | None) -> str:
        """Copy a folder with all that is in it."""
        place = Path(target or create_temp_folder())
        shutil.copytree(self.path(folder), place, dirs_exist_ok=True)
        return str(place)
