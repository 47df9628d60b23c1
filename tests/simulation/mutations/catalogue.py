"""What a mutation is, and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator import act, decide
from orchestrator.decide.situation import Situation
from tests.simulation.faults import Climate
from tests.simulation.histories import ANY

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster

Swap = Callable[[Any, str, Any], None]
"""``swap(owner, attribute, value)`` replaces something for the length of one history."""


@dataclass(frozen=True)
class Mutation:
    """One rule less.

    ``seed``: a history that shows it; the search begins there, as the product goes on changing.
    ``climate``: the kind of history in which it shows soon. ``story``: one that is played on purpose, for
    what chance brings about too seldom. ``covered``: what makes up for it when it cannot be noticed alone.
    """

    what: str
    apply: Callable[[Swap], None]
    seed: int = 1
    climate: Climate = ANY
    story: Callable[[SimCluster], None] | None = None
    covered: str = ""


MUTATIONS: dict[str, Mutation] = {}


def mutation(what: str, **more: Any) -> Callable[[Callable[[Swap], None]], Callable[[Swap], None]]:
    """Enter a function that takes a rule out into the catalogue."""

    def register(apply: Callable[[Swap], None]) -> Callable[[Swap], None]:
        MUTATIONS[apply.__name__] = Mutation(what, apply, **more)
        return apply

    return register


def with_rule(swap: Swap, situation: Situation, name: str, rule: Callable[[Any, Any], Any]) -> None:
    """Put another rule in the place of the one called ``name``."""
    rules = decide.PLAYBOOK[situation]
    assert name in {known.__name__ for known in rules}
    swapped = tuple(rule if known.__name__ == name else known for known in rules)
    swap(decide, "PLAYBOOK", {**decide.PLAYBOOK, situation: swapped})


def performing(swap: Swap, kind: type, how: Callable[[Any, Any], Any]) -> None:
    """Have an action done in another way."""
    swap(act, "PERFORMERS", {**act.PERFORMERS, kind: how})
