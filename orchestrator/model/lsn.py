"""Positions in PostgreSQL's write-ahead log, as types, so that no one ever sorts raw integers."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far a database is: the newer timeline is ahead, and on the same timeline the higher LSN."""

    timeline: int
    lsn: Lsn

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
