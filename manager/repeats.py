"""Uploads that arrive twice.

A client whose connection drops repeats its upload on the next member, and may not know that the first one was
kept. The repeat is answered like the first, where it is the same file from the same user: but only if the
first one has not been answered *here*, and is not old. An upload of something that the client knows to be
there already is a mistake, and is told so.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

REPEATED_WITHIN = timedelta(minutes=10)
REMEMBERED = 10_000


class Answered:
    """Which uploads this process has answered lately, by their storage ids. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at_s: OrderedDict[str, float] = OrderedDict()

    def note(self, storage_id: str) -> None:
        """A client got its answer."""
        self._at_s[storage_id] = self._clock()
        if len(self._at_s) > REMEMBERED:
            self._at_s.popitem(last=False)

    def __contains__(self, storage_id: str) -> bool:
        return self._clock() - self._at_s.get(storage_id, float("-inf")) < REPEATED_WITHIN.total_seconds()
