"""What a node knows of itself while it acts without the majority, and what it says when it is back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.lsn import Position

ACTIVE = "active"
READ_ONLY = "read_only"
MOST_RECENT = "most_recent"


@dataclass(frozen=True, slots=True)
class Minority:
    """The mark of a node that acts alone, on its disk before it does.

    ``term``: the last one that it knew. ``since``: in Unix time. ``parted_at``: up to there its history is
    that of the others as well. ``updated_before``: when its database had been updated last by then, and
    ``updated_at`` when it was by now, in Unix time. ``alone_before``: it had acknowledged alone before.
    """

    term: int
    since: float
    parted_at: Position
    updated_before: float = 0.0
    updated_at: float = 0.0
    alone_before: bool = False

    @property
    def has_written(self) -> bool:
        """Whether anything was committed since."""
        return self.updated_at > self.updated_before


@dataclass(frozen=True, slots=True)
class Standing:
    """What another member says of itself over SSH, when Consul cannot be asked.

    ``cut_off``: it cannot ask Consul either. ``active``: it acts without the majority. ``led``: it was the
    leader that it knew last. ``place``: term, timeline and LSN of its database.
    """

    cut_off: bool
    active: bool
    led: bool
    place: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A node that is back says when its database was updated last. ``term``: that of the leader it asks.

    ``refused``: that leader's was updated later, or it does not go by that.
    """

    node: str
    term: int
    updated_at: float
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Company:
    """The members that a node which is cut off can reach, out of ``size`` in all."""

    size: int
    standings: Mapping[str, Standing]

    @property
    def is_minority(self) -> bool:
        """Whether they are, together with this node, not more than half of the cluster."""
        return 2 * (len(self.standings) + 1) <= self.size
