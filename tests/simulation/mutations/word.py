"""The word of the members while Consul is gone."""

from __future__ import annotations

from orchestrator.act import leadership
from orchestrator.decide import situation
from orchestrator.model.office import Office
from tests.simulation.mutations.catalogue import Swap, mutation
from tests.simulation.mutations.climates import CONSUL


@mutation("a member takes part in a round although a leader has its word", seed=92, climate=CONSUL)
def word_not_kept(swap: Swap) -> None:
    swap(situation, "_is_bound", lambda *_: False)
    swap(leadership.word, "require_free", lambda *_: None)


@mutation("a leader goes on without Consul, whatever the members say", seed=21, climate=CONSUL)
def nobody_has_to_confirm(swap: Swap) -> None:
    swap(Office, "is_confirmed_by", lambda *_: True)
