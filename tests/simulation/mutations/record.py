"""Sync record and setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.act import leadership as act_leadership
from orchestrator.act import postgres as act_postgres
from orchestrator.decide import postgres, quorum
from orchestrator.model import action as actions
from orchestrator.model.action import SetStandbys, WriteRecord
from orchestrator.model.snapshot import SyncSetting
from tests.simulation.faults import Climate
from tests.simulation.liveness import what_is_missing
from tests.simulation.mutations.catalogue import Swap, mutation, performing
from tests.simulation.postgres_client import SimPostgresClient

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster


@mutation("a record is confirmed without waiting until its members have what was acknowledged before")
def record_narrowed_too_early(swap: Swap) -> None:
    swap(SimPostgresClient, "wait_caught_up", lambda self, members, timeout_s: None)


@mutation("k is lowered in PostgreSQL before the record")
def k_lowered_in_postgres_first(swap: Swap) -> None:
    def next_step(record: Any, setting: Any, wanted: Any, mode: str) -> Any:
        if record.k > wanted.k and setting != wanted:
            return SetStandbys(record.term, wanted, record)
        return _next_step(record, setting, wanted, mode)

    swap(postgres, "next_step", next_step)
    swap(SyncSetting, "implies", lambda setting, record: True)


@mutation("a higher k is put on record before PostgreSQL knows of it")
def k_raised_on_record_first(swap: Swap) -> None:
    def next_step(record: Any, setting: Any, wanted: Any, mode: str) -> Any:
        if record.k < wanted.k:
            return WriteRecord(replace(record, k=wanted.k, members=wanted.members), record)
        return _next_step(record, setting, wanted, mode)

    swap(postgres, "next_step", next_step)


@mutation("PostgreSQL waits for a new member before the record names it")
def member_added_in_postgres_first(swap: Swap) -> None:
    def next_step(record: Any, setting: Any, wanted: Any, mode: str) -> Any:
        if setting != wanted and 0 < record.k <= wanted.k:
            return SetStandbys(record.term, wanted, record)
        return _next_step(record, setting, wanted, mode)

    swap(postgres, "next_step", next_step)
    swap(SyncSetting, "implies", lambda setting, record: True)


_next_step = quorum.next_step


@mutation("a new leader names every replica on its first record, also those that lag behind")
def first_record_before_caught_up(swap: Swap) -> None:
    def first_streaming(self: SimPostgresClient, members: Any, timeout_s: float) -> frozenset[str]:
        def streaming() -> frozenset[str]:
            return frozenset(members) & self._database.need().senders.keys()

        self._wait(lambda: bool(streaming()), timeout_s, "nobody streams")
        return streaming()

    swap(SimPostgresClient, "first_caught_up", first_streaming)


@mutation("a change of the standbys returns before it is in force")
def setting_not_awaited(swap: Swap) -> None:
    swap(SimPostgresClient, "_is_in_force", lambda self: True)


def _a_setting_is_left_on_disk(cluster: SimCluster) -> None:
    """n3 comes back and is gone again, while n1's worker is frozen just before it has PostgreSQL wait for it.

    The worker wakes up, writes that down, and is killed before PostgreSQL has read it. n3 has been away for
    long enough by now: the record is narrowed to n2. Then something else makes PostgreSQL read its files,
    and n3 comes back.
    """
    n1, n2, n3 = cluster.machines.values()
    both, only_n2 = frozenset({"n2", "n3"}), frozenset({"n2"})

    def run_until(condition: Callable[[], bool]) -> None:
        until_s = cluster.schedule.now_s + 60
        while not condition() and cluster.schedule.run_one(until_s):
            cluster.invariants.check()
        assert condition()

    run_until(lambda: not what_is_missing(cluster))
    n3.crash()
    run_until(lambda: cluster.consul.record.members == only_n2)
    n3.boot()
    run_until(lambda: n1.plan is not None and isinstance(n1.plan.actions[0], SetStandbys))
    n1.freeze("worker")
    n3.crash()
    gone_s = cluster.schedule.now_s
    run_until(lambda: cluster.schedule.now_s > gone_s + cluster.timing.drop_after_s - 0.1)
    n1.thaw()
    run_until(lambda: n1.database.disk.setting.members == both)
    assert n1.database.need().setting.members == only_n2
    n1.worker.kill()
    n1.worker.start(0.3)
    run_until(lambda: cluster.consul.record.members == only_n2 and n1.plan is None)
    n1.database.reload()
    n1.freeze("worker")
    n3.boot()
    run_until(lambda: "n3" in n1.database.need().senders)
    n2.freeze("database")
    cluster.schedule.run_for(1.0, cluster.invariants.check)


@mutation(
    "a record is confirmed although another setting is on disk, to come into force some day",
    story=_a_setting_is_left_on_disk,
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


@mutation("a change is made although the sync record is another one by now", climate=Climate(stale_reads=0.3))
def stale_record_accepted(swap: Swap) -> None:
    swap(act_postgres, "require_record", lambda *_: None)
    swap(act_leadership, "require_record", lambda *_: None)


@mutation("a record that claims nothing is broken by strangers in the setting")
def strangers_break_an_empty_claim(swap: Swap) -> None:
    swap(
        SyncSetting,
        "implies",
        lambda setting, record: setting.k - len(setting.members - record.members) >= record.k,
    )
