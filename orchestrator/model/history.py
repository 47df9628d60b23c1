"""The cluster's history: what was decided and done, for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of ``cfy cluster history``.

    ``number``: assigned when the entry is appended; grows without gaps. ``at``: Unix time in seconds.
    ``kind``: what happened, in one word, such as ``failover`` or ``join``. ``duration_s``: how long it took.
    """

    at: float
    node: str
    kind: str
    summary: str
    number: int = 0
    term: int = 0
    cause: str = ""
    duration_s: float | None = None
