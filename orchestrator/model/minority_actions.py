"""What a node does that has lost the majority, and what is done when it is back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class PartWays:
    """From now on this node may acknowledge what nobody else has."""

    summary: ClassVar[str] = "Mark, on disk, where this database parts from the others' history."
    term: int


@dataclass(frozen=True, slots=True)
class GoActive:
    """Let writes in without the majority. They are on this node alone."""

    summary: ClassVar[str] = "Act without the majority: take writes that are on this node alone."


@dataclass(frozen=True, slots=True)
class EndMinority:
    """This node leads, and what it wrote alone is part of the cluster's history."""

    summary: ClassVar[str] = "End minority mode: this node leads, with what it wrote alone."
    term: int


@dataclass(frozen=True, slots=True)
class ClaimOffice:
    """Ask the leader of ``term`` to give way to what was written here later."""

    summary: ClassVar[str] = "Tell the leader that this node's database was updated last."
    term: int
    updated_at: float


@dataclass(frozen=True, slots=True)
class RefuseClaim:
    """Tell a node that is back that it shall follow."""

    summary: ClassVar[str] = "Refuse the claim of a node that is back: it archives what it has, and follows."
    term: int
    node: str


@dataclass(frozen=True, slots=True)
class GiveWay:
    """Release the lease for the node whose database was updated last."""

    summary: ClassVar[str] = "Give way to the node whose database was updated last."
    term: int
    node: str
    updated_at: float


MinorityAction = PartWays | GoActive | EndMinority | ClaimOffice | RefuseClaim | GiveWay
