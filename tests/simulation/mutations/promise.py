"""Detach, promise, report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.act import leadership as act_leadership
from orchestrator.act import postgres as act_postgres
from orchestrator.clients.postgres import names
from orchestrator.decide import election, postgres
from orchestrator.decide.situation import Situation
from orchestrator.model import action as actions
from orchestrator.record import promises
from tests.simulation.machine import Machine
from tests.simulation.mutations.catalogue import Swap, mutation, performing, with_rule
from tests.simulation.mutations.climates import FIVE_SLOW
from tests.simulation.mutations.stories import (
    a_leader_takes_its_time_to_announce_itself,
    a_replica_restarts_and_reads_what_was,
    a_replica_that_has_promised_reads_what_was,
    an_upstream_is_rebuilt_behind_a_standby_that_hangs,
    the_leader_hangs_but_its_database,
)


@mutation(
    "a node promises, and goes on streaming from the old leader", story=the_leader_hangs_but_its_database
)
def detach_left_out(swap: Swap) -> None:
    def promise_only(clients: Any, action: actions.Detach) -> actions.Done:
        promises.promise_round(clients.config.paths.promise_file, action.round)
        return actions.Done()

    def report_attached(clients: Any, action: actions.ReportPosition) -> actions.Done:
        database = replace(clients.postgres.read(), upstream=None, receiving=False)
        read, clients.postgres.read = clients.postgres.read, lambda: database
        try:
            return act_leadership.report_position(clients, action)
        finally:
            clients.postgres.read = read

    performing(swap, actions.Detach, promise_only)
    performing(swap, actions.ReportPosition, report_attached)


@mutation(
    "a promise is forgotten when the machine restarts, and a node acts on what it saw before",
    story=a_replica_restarts_and_reads_what_was,
)
def promise_forgotten_in_a_restart(swap: Swap) -> None:
    crash = Machine.crash

    def forgetful_crash(machine: Machine) -> None:
        crash(machine)
        machine.disk_files.clear()

    swap(Machine, "crash", forgetful_crash)
    _without_freshness(swap)


@mutation(
    "a stale read of the lease makes a node stream from the old leader again",
    story=a_replica_that_has_promised_reads_what_was,
)
def stale_read_of_the_lease_acted_on(swap: Swap) -> None:
    with_rule(swap, Situation.FOLLOWING, "follow", _follow_whatever_was_seen)
    swap(act_postgres, "_require_fresh", lambda *_: None)


_follow = postgres.follow


def _follow_whatever_was_seen(snapshot: Any, spec: Any) -> Any:
    return _follow(replace(snapshot, promise=replace(snapshot.promise, round=-1)), spec)


def _without_freshness(swap: Swap) -> None:
    def promise_only_checked(clients: Any, action: actions.Follow) -> None:
        if promises.read(clients.config.paths.promise_file).round >= action.seen_at:
            raise act_postgres.StaleRound

    swap(act_postgres, "_require_fresh", promise_only_checked)


@mutation(
    "a node follows whoever was announced last, of whatever term",
    story=a_leader_takes_its_time_to_announce_itself,
)
def unannounced_leader_followed(swap: Swap) -> None:
    def follow(snapshot: Any, spec: Any) -> Any:
        view = snapshot.cluster
        if view.announcement is not None:
            announced = replace(view.announcement, term=view.lease.term)
            snapshot = replace(snapshot, cluster=replace(view, announcement=announced))
        return _follow(snapshot, spec)

    with_rule(swap, Situation.FOLLOWING, "follow", follow)


@mutation("reports of an earlier round count as well", climate=FIVE_SLOW)
def reports_of_earlier_rounds_count(swap: Swap) -> None:
    swap(
        election,
        "reports_of_round",
        lambda view: tuple(report for report in view.reports.values() if report.node in view.members),
    )


@mutation(
    "a slot does not tell to which incarnation of the upstream it belongs",
    story=an_upstream_is_rebuilt_behind_a_standby_that_hangs,
)
def slot_without_incarnation(swap: Swap) -> None:
    slot_name = names.slot_name
    swap(names, "slot_name", lambda node, _incarnation="": slot_name(node))
