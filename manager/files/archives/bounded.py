"""A file that is read in small pieces only, up to a certain place.

The standard library reads what an archive calls a header, or a directory, at once and into memory, whatever
length it claims. So nobody reads from an archive but through this.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from manager.files.archives.limits import BadArchive


class Bounded:
    """Reads from ``raw``. ``last``: the last piece that was read."""

    def __init__(self, raw: BinaryIO, *, max_piece_bytes: int, max_bytes: int) -> None:
        self._raw = raw
        self._max_piece_bytes = max_piece_bytes
        self._max_bytes = max_bytes
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """Raises ``BadArchive`` when it is too much."""
        if size > self._max_piece_bytes:
            raise BadArchive("The archive has a header that is too long")
        # Without a size: all that is left, which is asked for at the end of a small part only.
        wanted = size if size >= 0 else self._max_piece_bytes + 1
        self.last = self._raw.read(wanted)
        if len(self.last) > self._max_piece_bytes:
            raise BadArchive("The archive has a header that is too long")
        self._check(self._raw.tell())
        return self.last

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Raises ``BadArchive`` when that is too far: in a compressed file, going there means reading."""
        if whence != io.SEEK_END:
            self._check(offset if whence == io.SEEK_SET else self._raw.tell() + offset)
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._raw.tell()

    def seekable(self) -> bool:
        """Whether any place can be gone to."""
        return True

    def _check(self, place: int) -> None:
        if place < 0:
            raise BadArchive("The archive is damaged: it refers to a place before its beginning")
        if place > self._max_bytes:
            raise BadArchive("The archive unpacks to more than it may")
