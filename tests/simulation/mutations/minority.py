"""Acting without the majority, and what becomes of it."""

from __future__ import annotations

from types import SimpleNamespace

from orchestrator.act import archive, leadership, minority
from tests.simulation.mutations.catalogue import Swap, mutation
from tests.simulation.mutations.climates import ALONE, LATEST


@mutation("what was written alone counts as what the others acknowledged", seed=191, climate=ALONE)
def alone_is_as_good_as_together(swap: Swap) -> None:
    swap(leadership, "minority", SimpleNamespace(read=lambda _: None))


@mutation("a node acts alone without the mark that it may have something to lose", seed=11, climate=ALONE)
def nothing_to_lose(swap: Swap) -> None:
    swap(minority, "alone", SimpleNamespace(read=lambda _: None, begin=lambda *_: None))


@mutation("what a node wrote alone is archived only if it had done so before", seed=7, climate=LATEST)
def never_asked(swap: Swap) -> None:
    swap(archive, "_was_never_asked", lambda _: True)
