"""Sync record and setting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.act import leadership as act_leadership
from orchestrator.act import postgres as act_postgres
from orchestrator.decide import postgres, quorum
from orchestrator.model import action as actions
from orchestrator.model.action import SetStandbys, WriteRecord
from orchestrator.model.snapshot import SyncSetting
from tests.simulation.mutations.catalogue import Swap, mutation, performing
from tests.simulation.mutations.climates import BLIPS, FIVE, FREEZES, STALE, SWITCHOVERS, TWO
from tests.simulation.mutations.stories import a_setting_is_left_on_disk
from tests.simulation.postgres_client import SimPostgresClient


@mutation(
    "a record is confirmed without waiting until its members have what was acknowledged before",
    seed=7,
    climate=SWITCHOVERS,
)
def record_narrowed_too_early(swap: Swap) -> None:
    swap(SimPostgresClient, "wait_caught_up", lambda self, members, timeout_s: None)


@mutation("k is lowered in PostgreSQL before the record", climate=TWO)
def k_lowered_in_postgres_first(swap: Swap) -> None:
    def next_step(record: Any, setting: Any, wanted: Any, mode: str) -> Any:
        if record.k > wanted.k and setting != wanted:
            return SetStandbys(record.term, wanted, record)
        return _next_step(record, setting, wanted, mode)

    swap(postgres, "next_step", next_step)
    swap(SyncSetting, "implies", lambda setting, record: True)


@mutation("a higher k is put on record before PostgreSQL knows of it", climate=FREEZES)
def k_raised_on_record_first(swap: Swap) -> None:
    def next_step(record: Any, setting: Any, wanted: Any, mode: str) -> Any:
        if record.k < wanted.k:
            return WriteRecord(replace(record, k=wanted.k, members=wanted.members), record)
        return _next_step(record, setting, wanted, mode)

    swap(postgres, "next_step", next_step)


@mutation("PostgreSQL waits for a new member before the record names it", climate=SWITCHOVERS)
def member_added_in_postgres_first(swap: Swap) -> None:
    def next_step(record: Any, setting: Any, wanted: Any, mode: str) -> Any:
        if setting != wanted and 0 < record.k <= wanted.k:
            return SetStandbys(record.term, wanted, record)
        return _next_step(record, setting, wanted, mode)

    swap(postgres, "next_step", next_step)
    swap(SyncSetting, "implies", lambda setting, record: True)


_next_step = quorum.next_step


@mutation(
    "a new leader names every replica on its first record, also those that lag behind", seed=7, climate=BLIPS
)
def first_record_before_caught_up(swap: Swap) -> None:
    def first_streaming(self: SimPostgresClient, members: Any, timeout_s: float) -> frozenset[str]:
        def streaming() -> frozenset[str]:
            return frozenset(members) & self._database.need().senders.keys()

        self._wait(lambda: bool(streaming()), timeout_s, "nobody streams")
        return streaming()

    swap(SimPostgresClient, "first_caught_up", first_streaming)


@mutation("a change of the standbys returns before it is in force", seed=2, climate=TWO)
def setting_not_awaited(swap: Swap) -> None:
    swap(SimPostgresClient, "_is_in_force", lambda self: True)


@mutation("writes are let in before every process goes by the standbys that were set", seed=2, climate=TWO)
def opened_unconfirmed(swap: Swap) -> None:
    swap(SimPostgresClient, "confirm_standbys", lambda self: None)


@mutation(
    "a record is confirmed although another setting is on disk, to come into force some day",
    story=a_setting_is_left_on_disk,
)
def setting_on_disk_forgotten(swap: Swap) -> None:
    original = act_leadership.confirm_record

    def confirm(clients: Any, action: Any) -> Any:
        set_standbys, clients.postgres.set_standbys = clients.postgres.set_standbys, lambda setting: None
        try:
            return original(clients, action)
        finally:
            clients.postgres.set_standbys = set_standbys

    performing(swap, actions.ConfirmRecord, confirm)


@mutation("a change is made although the sync record is another one by now", seed=7, climate=STALE)
def stale_record_accepted(swap: Swap) -> None:
    swap(act_postgres, "require_record", lambda *_: None)
    swap(act_leadership, "require_record", lambda *_: None)


@mutation("a record that claims nothing is broken by strangers in the setting", climate=FIVE)
def strangers_break_an_empty_claim(swap: Swap) -> None:
    swap(
        SyncSetting,
        "implies",
        lambda setting, record: setting.k - len(setting.members - record.members) >= record.k,
    )
