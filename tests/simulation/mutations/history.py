"""Whose log continues whose."""

from __future__ import annotations

from typing import Any

from orchestrator.act import postgres as act_postgres
from orchestrator.decide import leadership
from orchestrator.model import action as actions
from tests.simulation.mutations.catalogue import Swap, mutation, performing
from tests.simulation.mutations.climates import FREEZES, SLOW, STALE
from tests.simulation.mutations.stories import an_old_leader_wakes_up_with_writes_that_wait
from tests.simulation.postgres_client import SimPostgresClient


@mutation("terms leave no mark: timelines alone order histories", seed=3, climate=FREEZES)
def no_mark_of_the_term(swap: Swap) -> None:
    swap(SimPostgresClient, "mark_term", lambda self, term: None)
    swap(act_postgres, "was_led", lambda position, terms: True)


@mutation("timelines of one number are taken to be one timeline", climate=FREEZES)
def numbers_of_timelines_trusted(swap: Swap) -> None:
    swap(act_postgres, "was_led", lambda position, terms: True)


@mutation(
    "an old leader takes its lease back although somebody else has led since",
    story=an_old_leader_wakes_up_with_writes_that_wait,
)
def remnant_leads_on(swap: Swap) -> None:
    swap(leadership, "_is_remnant", lambda snapshot: False)


@mutation("a diverged database streams from the leader without a rewind", climate=STALE)
def rewind_left_out(swap: Swap) -> None:
    swap(act_postgres, "was_led", lambda position, terms: True)
    swap(act_postgres, "shares_history", lambda position, timeline, forks: True)


@mutation("a stopped database is revived as the primary that it was", climate=SLOW)
def revived_as_primary(swap: Swap) -> None:
    def revive(clients: Any, _: actions.Revive) -> actions.Done:
        clients.postgres.start(standby=False)
        return actions.Done()

    performing(swap, actions.Revive, revive)
