"""The write-ahead log of a simulated database: a list of records, each on its timeline.

An LSN is a number of records. Two logs share history as far as their records are the same objects of the
world, whatever the numbers of their timelines say: the simulation sees what PostgreSQL cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from orchestrator.model.lsn import Fork, Lsn, Position, Terms


class Record(NamedTuple):
    """One record; ``number`` is its own in the whole world. ``term``: the newest one marked up to here.

    ``at_s``: when it was committed; 0 when it is no commit.
    """

    timeline: int
    number: int
    term: int = 0
    at_s: float = 0.0


Wal = list[Record]


def position_of(wal: Sequence[Record]) -> Position:
    """How far a log is; its timeline is that of its last record, never that of a history file."""
    return Position(wal[-1].timeline, Lsn(len(wal)), wal[-1].term)


def updated_at_s(wal: Sequence[Record]) -> float:
    """When the newest commit was made."""
    return next((record.at_s for record in reversed(wal) if record.at_s), 0.0)


def forks_of(wal: Sequence[Record]) -> tuple[Fork, ...]:
    """The timelines that a log has left, oldest first."""
    return tuple(
        Fork(earlier.timeline, Lsn(index))
        for index, (earlier, later) in enumerate(pairwise(wal), start=1)
        if earlier.timeline != later.timeline
    )


def terms_of(wal: Sequence[Record]) -> Terms:
    """The terms that are marked in a log, each with the timeline of its mark."""
    return tuple(
        (later.term, later.timeline) for earlier, later in pairwise(wal) if earlier.term != later.term
    )


def common_length(one: Sequence[Record], other: Sequence[Record]) -> int:
    """How much history two logs truly share."""
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter
    return next(index for index in range(shorter) if one[index] != other[index])


def common_by_number(one: Sequence[Record], other: Sequence[Record]) -> int:
    """How much history pg_rewind believes that two logs share: it knows timelines by number and beginning."""
    mine, theirs = _stretches(one), _stretches(other)
    common = 0
    for (timeline, begin, end), (their_timeline, their_begin, their_end) in zip(mine, theirs, strict=False):
        if (timeline, begin) != (their_timeline, their_begin):
            break
        common = min(end, their_end)
    return common


def _stretches(wal: Sequence[Record]) -> list[tuple[int, int, int]]:
    ends = [(fork.timeline, fork.lsn.value) for fork in forks_of(wal)] + [(wal[-1].timeline, len(wal))]
    begins = [0, *(end for _, end in ends)]
    return [(timeline, begin, end) for (timeline, end), begin in zip(ends, begins, strict=False)]
