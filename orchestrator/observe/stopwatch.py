"""For how long something has been as it is. Decisions need durations; snapshots only show moments."""

from __future__ import annotations

from collections.abc import Hashable


class Stopwatch:
    """Remembers since when each fact has had its present value. It forgets when the process ends.

    Forgetting is harmless: every duration then starts again at zero, which makes a node more patient.
    """

    def __init__(self) -> None:
        self._since: dict[Hashable, tuple[Hashable, float]] = {}

    def held_s(self, fact: Hashable, value: Hashable, now_s: float) -> float:
        """For how many seconds ``fact`` has been ``value``."""
        known = self._since.get(fact)
        if known is None or known[0] != value:
            self._since[fact] = (value, now_s)
            return 0.0
        return now_s - known[1]

    def true_for_s(self, fact: Hashable, *, value: bool, now_s: float) -> float:
        """For how many seconds ``fact`` has been true; 0 when it is not.

        A fact that has just become true counts from this moment on, and so as a little more than 0.
        """
        held = self.held_s(fact, value, now_s)
        return max(held, 1e-6) if value else 0.0
