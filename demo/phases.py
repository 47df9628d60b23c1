"""Where the time of an interruption went: from the fault to the first write, by the cluster's own history."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MILESTONES = {"lease_free": "detection", "elected": "election", "promoted": "promotion"}
"""The kind of entry that ends a phase, in order. What is left, up to the first write, is the last phase."""
LAST = "first write"


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on two clocks, so that a cluster's history can be held against what a writer measured."""

    unix_s: float
    monotonic_s: float

    @classmethod
    def now(cls) -> Moment:
        """This moment."""
        return cls(time.time(), time.monotonic())

    def unix(self, monotonic_s: float) -> float:
        """What the wall clock showed at a time of the monotonic one."""
        return self.unix_s + monotonic_s - self.monotonic_s


def phases(
    history: Iterable[Mapping[str, Any]], fault_unix_s: float, written_unix_s: float
) -> dict[str, float]:
    """How long each phase took, in seconds: ``detection``, ``election``, ``promotion``, ``first write``.

    ``history``: entries as REST lists them. A phase whose end is not told there is part of the next.
    """
    told: dict[str, float] = {}
    for entry in sorted(history, key=lambda entry: unix_time(entry["at"])):
        if fault_unix_s <= unix_time(entry["at"]) <= written_unix_s:
            # The first of a kind counts for the fault: a second lease may become free later.
            told.setdefault(entry["kind"], unix_time(entry["at"]))
    spent: dict[str, float] = {}
    since_s = fault_unix_s
    for kind, phase in MILESTONES.items():
        if kind in told:
            spent[phase] = max(0.0, told[kind] - since_s)
            since_s = max(since_s, told[kind])
    return {**spent, LAST: max(0.0, written_unix_s - since_s)}


def unix_time(stamp: str | float) -> float:
    """A timestamp of the REST API as seconds since 1970."""
    return stamp if isinstance(stamp, float | int) else datetime.fromisoformat(stamp).timestamp()
