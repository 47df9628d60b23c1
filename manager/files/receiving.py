"""Receiving a file: straight to the disk, so that its length costs no memory."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from manager.errors import TooLarge
from manager.files.durable import telling_full


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived. ``sha256``: in hexadecimal digits."""

    path: Path
    size_bytes: int
    sha256: str


class Sink:
    """Takes a file piece by piece. What is not finished at the end of the block is removed."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._size = 0
        self._digest = hashlib.sha256()
        self._finished = False
        with telling_full():
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
        if not self._finished:
            self._path.unlink(missing_ok=True)

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Raises ``TooLarge`` and ``StorageFull``."""
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise TooLarge(f"The file is longer than {self._max_bytes} bytes")
        self._digest.update(piece)
        rest = memoryview(piece)
        with telling_full():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def finish(self) -> Received:
        """It has all arrived, and is on the disk."""
        with telling_full():
            os.fsync(self._descriptor)
        self._finished = True
        return Received(self._path, self._size, self._digest.hexdigest())
