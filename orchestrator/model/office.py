"""What a leader has to know when Consul is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.snapshot import Member


@dataclass(frozen=True, slots=True)
class Office:
    """What a leader has to know when Consul is gone: whom to ask whether they still follow it, and in what.

    ``modified``: the lease's ModifyIndex, at which the term began. ``k`` and ``on_record``: the sync record.
    """

    term: int
    modified: int
    k: int
    on_record: frozenset[str]
    members: Mapping[str, Member]

    def is_confirmed_by(self, names: frozenset[str]) -> bool:
        """Whether nobody can be elected without one of ``names``, the other members that follow this leader.

        A round asks for reports of ``m - k + 1`` of the ``m`` on record, so ``k`` of them can prevent it. In
        asynchronous mode it asks for a majority; so these are one, together with the leader.
        """
        return len(self.on_record & names) >= self.k and 2 * (len(names) + 1) > len(self.members) + 1
