"""How much an archive may hold, and what its entries may be called."""

from __future__ import annotations

from dataclasses import dataclass

from manager.errors import InvalidBlueprint

MEGABYTE = 1024 * 1024
MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255


class BadArchive(InvalidBlueprint):
    """An archive that is not unpacked; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_ratio``: of the unpacked size to the archive's, from ``harmless_bytes`` on.

    ``max_entries``: files and folders, also those that are only in the names of others.
    ``max_header_bytes``: of what is read at a time beside the content of files, and so is in memory.
    """

    max_entries: int = 50_000
    max_bytes: int = 8192 * MEGABYTE
    max_ratio: int = 200
    harmless_bytes: int = 64 * MEGABYTE
    max_header_bytes: int = MEGABYTE // 4
    max_directory_bytes: int = 8 * MEGABYTE  # a zip's list of its files

    def bytes_of(self, archive_bytes: int) -> int:
        """How many bytes an archive of that size may become."""
        return min(self.max_bytes, max(self.harmless_bytes, archive_bytes * self.max_ratio))


DEFAULT_LIMITS = Limits()


class Names:
    """The names in one archive: one folder at the top, each name once, and none that leads out of it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._top: str | None = None
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._entries = 0

    def take(self, name: str, *, is_folder: bool) -> str | None:
        """Where the entry goes, relative to the inside of the top folder; None: nowhere.

        Raises ``BadArchive``.
        """
        self._count()
        parts = _parts(name)
        if not parts:
            return None
        self._check_top(parts[0], is_folder=is_folder or len(parts) > 1)
        path = "/".join(parts[1:])
        self._check_new(path, is_folder=is_folder)
        return path or None

    def check_end(self) -> None:
        """Raise ``BadArchive`` when there was nothing."""
        if self._top is None:
            raise BadArchive("The archive is empty; it has to contain exactly one folder at the top")

    def _count(self) -> None:
        self._entries += 1
        if self._entries > self._limits.max_entries:
            raise BadArchive(f"The archive has more than {self._limits.max_entries} entries")

    def _check_top(self, top: str, *, is_folder: bool) -> None:
        if not is_folder:
            raise BadArchive(f"{top!r} lies beside the folder at the top; there may be exactly one folder")
        if self._top not in {None, top}:
            raise BadArchive(f"There has to be exactly one folder at the top, not {self._top!r} and {top!r}")
        self._top = top

    def _check_new(self, path: str, *, is_folder: bool) -> None:
        above = path
        while above := above.rpartition("/")[0]:
            if above in self._folders:
                break
            if above in self._files:
                raise BadArchive(f"{above!r} is both a file and a folder")
            self._count()
            self._folders.add(above)
        if path in self._files or (not is_folder and path in self._folders):
            raise BadArchive(f"{path!r} is in the archive twice")
        (self._folders if is_folder else self._files).add(path)


def _parts(name: str) -> list[str]:
    shown = name[:100].encode(errors="backslashreplace").decode()
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise BadArchive(f"The name {shown!r} is not valid UTF-8") from None
    if name.startswith("/"):
        raise BadArchive(f"{shown!r} is an absolute name")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BadArchive(f"{shown!r} leads out of the archive")
    if not name.isprintable():
        raise BadArchive(f"The name {shown!r} has characters that cannot be printed")
    if len(encoded) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise BadArchive(f"The name {shown!r}... is too long")
    return parts
