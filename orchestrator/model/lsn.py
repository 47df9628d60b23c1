"""Positions in PostgreSQL's write-ahead log, as types, so that no one ever sorts raw integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering

Terms = tuple[tuple[int, int], ...]
"""For each term whose leader has written in a history: the term, and the timeline it was written on."""


@dataclass(frozen=True, slots=True, order=True)
class Lsn:
    """A byte position in the write-ahead log (PostgreSQL documentation, ``pg_lsn``)."""

    value: int

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Read PostgreSQL's notation, two hexadecimal halves such as ``0/16B3748``.

        Raises ``ValueError`` for anything else.
        """
        high, separator, low = text.partition("/")
        if not separator:
            raise ValueError(f"not an LSN: {text!r} (expected two hexadecimal numbers, such as 0/16B3748)")
        return cls((int(high, 16) << 32) | int(low, 16))

    def __str__(self) -> str:
        return f"{self.value >> 32:X}/{self.value & 0xFFFFFFFF:X}"


@total_ordering
@dataclass(frozen=True, slots=True)
class Position:
    """How far a database is: the newer term is ahead, then the newer timeline, then the higher LSN.

    ``term``: the newest term whose leader has left its mark in this database. PostgreSQL's timelines alone
    do not order histories: a node that was promoted and lost the lease before it could write anything has a
    newer timeline than a leader that goes on with an older one, and two such nodes even the same.
    """

    timeline: int
    lsn: Lsn
    term: int = 0

    def __lt__(self, other: Position) -> bool:
        return (self.term, self.timeline, self.lsn) < (other.term, other.timeline, other.lsn)

    def __str__(self) -> str:
        return f"{self.timeline}@{self.lsn}"


@dataclass(frozen=True, slots=True)
class Fork:
    """The point at which a timeline was left: history up to ``lsn`` is shared, what lies behind it is not."""

    timeline: int
    lsn: Lsn


def shares_history(position: Position, timeline: int, forks: tuple[Fork, ...]) -> bool:
    """Whether a database at ``position`` can simply stream from one on ``timeline`` that has left ``forks``.

    The rule is PostgreSQL's own: a standby can follow when its position lies on the leader's timeline,
    or on one that the leader left at or behind that position.
    """
    if position.timeline == timeline:
        return True
    left_at = {fork.timeline: fork.lsn for fork in forks}
    return position.timeline in left_at and position.lsn <= left_at[position.timeline]


def was_led(position: Position, terms: Terms) -> bool:
    """Whether the newest leader that wrote in the database at ``position`` is in the history of ``terms``.

    Only then do timelines of one number mean one and the same timeline. Otherwise this database was
    promoted, or has followed one that was, in a term of which nothing became; another leader may have used
    the numbers of its timelines again.
    """
    return (position.term, position.timeline) in terms
