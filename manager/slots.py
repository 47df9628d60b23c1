"""The right to write to the database. It stands alone: who only writes needs nothing of the REST service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class WriteSlot:
    """The right of one request to write. It knows for how long its transaction has been going on."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """The length of the transaction."""
        self._since_s = time.monotonic()
        try:
            yield
        finally:
            self._since_s = None

    def overdue(self, limit_s: float) -> bool:
        """Whether the transaction has been going on for longer than ``limit_s``."""
        since_s = self._since_s
        return since_s is not None and time.monotonic() - since_s > limit_s
