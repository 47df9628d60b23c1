"""Requests that arrive twice.

A client whose connection drops repeats its upload on the next member, and may not know that the first one was
kept. The repeat is answered like the first, where it is the same file from the same user: but only if the
first one has not been answered *here*, and is not old. An upload of something that the client knows to be
there already is a mistake, and is told so. It is the same with deployments, and with the start of an
execution (see ``routes.execution_starting``).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

REPEATED_WITHIN = timedelta(minutes=10)
REMEMBERED = 10_000


class Answered:
    """Which requests this process has answered lately, by what they made. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at_s: OrderedDict[str, float] = OrderedDict()

    def note(self, key: str) -> None:
        """A client got its answer."""
        self._at_s[key] = self._clock()
        if len(self._at_s) > REMEMBERED:
            self._at_s.popitem(last=False)

    def forget(self, key: str) -> None:
        """The client did not get its answer after all."""
        self._at_s.pop(key, None)

    def __contains__(self, key: str) -> bool:
        return self._clock() - self._at_s.get(key, float("-inf")) < REPEATED_WITHIN.total_seconds()
