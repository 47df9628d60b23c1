"""What only a leader may do, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator import decide
from orchestrator.act import leadership as act_leadership
from orchestrator.act import postgres as act_postgres
from orchestrator.decide import election, leadership
from orchestrator.decide.situation import Situation
from orchestrator.model.snapshot import SyncSetting
from orchestrator.record import session
from tests.simulation import machine as machine_module
from tests.simulation.consul_client import SimConsulClient
from tests.simulation.machine import Machine
from tests.simulation.mutations.catalogue import Swap, mutation, with_rule
from tests.simulation.mutations.climates import BLIPS, STALE, SWITCHOVERS
from tests.simulation.mutations.promise import detach_left_out
from tests.simulation.mutations.stories import (
    a_database_ends_in_disorder_while_it_is_handed_over,
    an_action_outlives_its_worker,
    the_leader_hangs_but_its_guard,
)
from tests.simulation.postgres_client import SimPostgresClient
from tests.simulation.replication import Replication


@mutation("whoever holds no lease, or not in this term, may still act as the leader", seed=2, climate=STALE)
def stale_term_accepted(swap: Swap) -> None:
    def own_session(clients: Any, term: int, seen: Any = None) -> str:
        return session.read(clients.config) or ""

    swap(act_leadership, "require_lease", own_session)
    swap(act_postgres, "require_lease", own_session)
    swap(SimConsulClient, "_as_leader", lambda self, session, term: self._ask())


@mutation("a new primary waits for nobody")
def promoted_without_standbys(swap: Swap) -> None:
    original = SimPostgresClient.prepare_promotion
    swap(SimPostgresClient, "prepare_promotion", lambda self, setting: original(self, SyncSetting()))
    _open_at_once(swap)


@mutation("a new primary takes writes before its first record is written", climate=BLIPS)
def writes_before_the_record(swap: Swap) -> None:
    _open_at_once(swap)


def _open_at_once(swap: Swap) -> None:
    original = SimPostgresClient.promote

    def promote(self: SimPostgresClient, timeout_s: float) -> None:
        original(self, timeout_s)
        self._database.disk.read_only = False
        self._database.reload()

    swap(SimPostgresClient, "promote", promote)


@mutation("the target of a switchover takes over before it has everything", seed=17, climate=SWITCHOVERS)
def target_takes_over_too_early(swap: Swap) -> None:
    swap(SimPostgresClient, "wait_caught_up", _wait_for_all_but_the_target)
    swap(Replication, "_has_stopped", _stops_at_once)
    original = leadership.take_over

    def take_over(snapshot: Any, spec: Any) -> Any:
        view = snapshot.cluster
        if view.switchover is not None and view.switchover.released_at is not None:
            nothing = replace(view.switchover, released_at=snapshot.database.position)
            snapshot = replace(snapshot, cluster=replace(view, switchover=nothing))
        return original(snapshot, spec)

    with_rule(swap, Situation.HANDING_OVER, "take_over", take_over)


def _stops_at_once(self: Replication, machine: Machine, server: Any) -> bool:
    machine.database.crash()
    machine.database.disk.clean = True
    return True


_wait_caught_up = SimPostgresClient.wait_caught_up


def _wait_for_all_but_the_target(self: SimPostgresClient, members: Any, timeout_s: float) -> None:
    if not isinstance(members, list):
        _wait_caught_up(self, members, timeout_s)


@mutation(
    "a hand-over whose database ended in disorder is tried for ever",
    story=a_database_ends_in_disorder_while_it_is_handed_over,
)
def hand_over_never_given_up(swap: Swap) -> None:
    swap(SimConsulClient, "clear_switchover", lambda self, term: None)


@mutation("a node that was removed goes on as before, and its report counts", climate=BLIPS)
def removed_node_goes_on(swap: Swap) -> None:
    situation_of = decide.situation_of

    def blind(snapshot: Any, spec: Any) -> Any:
        view = snapshot.cluster
        if view is not None and snapshot.me in view.removed:
            snapshot = replace(snapshot, cluster=replace(view, removed=frozenset()))
        return situation_of(snapshot, spec)

    swap(decide, "situation_of", blind)
    swap(
        election,
        "reports_of_round",
        lambda view: tuple(report for report in view.reports.values() if report.round == view.lease.modified),
    )
    swap(election, "_is_candidate", lambda report, view: report.eligible)


@mutation(
    "an action goes on after its worker was killed, beside those of the next worker",
    story=an_action_outlives_its_worker,
)
def two_actions_at_a_time(swap: Swap) -> None:
    kill = Machine.kill_worker

    def kill_all_but_the_action(machine: Machine) -> None:
        if machine.plan is not None and machine.worker.alive:
            orphan, machine.worker = (
                machine.worker,
                type(machine.worker)(machine.cluster.schedule, machine._work_for_ever),
            )
            orphan.actor.freeze()
            machine.orphans.append(orphan)
        kill(machine)

    swap(Machine, "kill_worker", kill_all_but_the_action)


@mutation(
    "the guard never stops a database whose lease was not renewed",
    story=the_leader_hangs_but_its_guard,
    covered="detach, promise and report: whatever a leader believes, nobody confirms its writes any more",
)
def guard_left_out(swap: Swap) -> None:
    swap(machine_module, "due_in_s", lambda state, at_s: None)


@mutation(
    "neither guard nor detach: nothing is left that stops an old leader", story=the_leader_hangs_but_its_guard
)
def guard_and_detach_left_out(swap: Swap) -> None:
    guard_left_out(swap)
    detach_left_out(swap)
