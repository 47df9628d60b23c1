"""The rules taken out, one by one. Each time the simulation has to notice; if it does not, either the rule is
superfluous or the simulation has a hole (see ``COVERED`` for those that another rule makes up for).

``python -m tests.simulation.mutation_run`` shows what catches each of them, and after how many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator import act, decide
from orchestrator.act import leadership as act_leadership
from orchestrator.act import postgres as act_postgres
from orchestrator.decide import leadership, postgres, quorum
from orchestrator.decide.situation import Situation
from orchestrator.model import action as actions
from orchestrator.model.action import SetStandbys, WriteRecord
from orchestrator.model.lsn import Position
from orchestrator.model.snapshot import SyncSetting
from orchestrator.record import promises, session
from tests.simulation.consul_client import SimConsulClient
from tests.simulation.machine import Machine
from tests.simulation.postgres_client import SimPostgresClient

Swap = Callable[[Any, str, Any], None]
"""``swap(owner, attribute, value)`` replaces something for the length of one test."""


@dataclass(frozen=True)
class Mutation:
    """One rule less. ``seed``: where the search for a history that shows it begins."""

    what: str
    apply: Callable[[Swap], None]
    seed: int = 1
    stale_reads: float = 0.0


MUTATIONS: dict[str, Mutation] = {}


def mutation(what: str, *, seed: int = 1, stale_reads: float = 0.0) -> Callable[[Callable[[Swap], None]], None]:
    def register(apply: Callable[[Swap], None]) -> None:
        MUTATIONS[apply.__name__] = Mutation(what, apply, seed, stale_reads)

    return register


def without_rule(swap: Swap, situation: Situation, rule: str) -> None:
    """Take a rule out of the playbook."""
    rules = tuple(known for known in decide.PLAYBOOK[situation] if known.__name__ != rule)
    assert len(rules) < len(decide.PLAYBOOK[situation])
    swap(decide, "PLAYBOOK", {**decide.PLAYBOOK, situation: rules})


def performing(swap: Swap, kind: type, how: Callable[[Any, Any], Any]) -> None:
    """Have an action done in another way."""
    swap(act, "PERFORMERS", {**act.PERFORMERS, kind: how})


# The promise.


@mutation("a node promises, and goes on streaming from the old leader")
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


@mutation("a promise is forgotten when the machine restarts, and a node acts on what it saw before", stale_reads=0.3)
def promise_forgotten_in_a_restart(swap: Swap) -> None:
    crash = Machine.crash

    def forgetful_crash(machine: Machine) -> None:
        crash(machine)
        machine.disk_files.clear()

    swap(Machine, "crash", forgetful_crash)
    _without_freshness(swap)


@mutation("a stale read of the lease makes a node stream from the old leader again", stale_reads=0.3)
def stale_read_of_the_lease_acted_on(swap: Swap) -> None:
    swap(postgres, "follow", _follow_whatever_was_seen)
    rules = decide.PLAYBOOK[Situation.FOLLOWING]
    swapped = tuple(_follow_whatever_was_seen if rule.__name__ == "follow" else rule for rule in rules)
    swap(decide, "PLAYBOOK", {**decide.PLAYBOOK, Situation.FOLLOWING: swapped})
    swap(act_postgres, "_require_fresh", lambda *_: None)


_follow = postgres.follow


def _follow_whatever_was_seen(snapshot: Any, spec: Any) -> Any:
    return _follow(replace(snapshot, promise=replace(snapshot.promise, round=-1)), spec)


def _without_freshness(swap: Swap) -> None:
    def promise_only_checked(clients: Any, action: actions.Follow) -> None:
        if promises.read(clients.config.paths.promise_file).round >= action.seen_at:
            raise act_postgres.StaleRound

    swap(act_postgres, "_require_fresh", promise_only_checked)


@mutation("reports of an earlier round count as well")
def reports_of_earlier_rounds_count(swap: Swap) -> None:
    swap(
        leadership,
        "reports_of_round",
        lambda view: tuple(report for report in view.reports.values() if report.node in view.members),
    )


# Choosing.


@mutation("m - k reports are taken to be enough")
def one_report_too_few(swap: Swap) -> None:
    _floor_with(swap, lambda record, reports: len(reports) >= len(record.members) - record.k)


@mutation("any report is enough, whoever it comes from")
def floor_ignored(swap: Swap) -> None:
    swap(leadership, "floor_of", lambda record, reports, members: min((r.position for r in reports), default=None))


@mutation("reports of nodes that are not on record count towards the quorum")
def strangers_count(swap: Swap) -> None:
    original = leadership.floor_of

    def floor_of(record: Any, reports: Any, members: int) -> Any:
        everybody = frozenset(report.node for report in reports) - {record.leader}
        if record.k > 0 and len(everybody) >= len(record.members) - record.k + 1:
            return max(report.position for report in reports if report.node in everybody)
        return original(record, reports, members)

    swap(leadership, "floor_of", floor_of)


def _floor_with(swap: Swap, enough: Callable[[Any, Any], bool]) -> None:
    original = leadership.floor_of

    def floor_of(record: Any, reports: Any, members: int) -> Any:
        from_members = [report.position for report in reports if report.node in record.members]
        if record.k > 0 and from_members and enough(record, from_members):
            return max(from_members)
        return original(record, reports, members)

    swap(leadership, "floor_of", floor_of)


@mutation("the lowest position wins, and is the floor")
def lowest_lsn_wins(swap: Swap) -> None:
    swap(Position, "__lt__", lambda one, other: (one.term, one.timeline, one.lsn) > (other.term, other.timeline, other.lsn))


@mutation("the LSN counts before term and timeline")
def lsn_before_timeline(swap: Swap) -> None:
    swap(Position, "__lt__", lambda one, other: (one.lsn, one.term, one.timeline) < (other.lsn, other.term, other.timeline))


@mutation("the old leader's report counts as final although its database is still the primary")
def report_of_a_primary_is_final(swap: Swap) -> None:
    original = leadership.floor_of

    def floor_of(record: Any, reports: Any, members: int) -> Any:
        floor = original(record, reports, members)
        own = next((report for report in reports if report.node == record.leader), None)
        return own.position if floor is None and own is not None else floor

    swap(leadership, "floor_of", floor_of)


@mutation("a node that reported and died is waited for")
def the_dead_are_candidates(swap: Swap) -> None:
    swap(leadership, "_is_candidate", lambda report, view: report.eligible)


@mutation("the lease is taken without a look at whether it has changed since")
def acquire_without_check_index(swap: Swap) -> None:
    acquire = SimConsulClient.acquire_lease
    swap(SimConsulClient, "acquire_lease", lambda self, session, modified=None: acquire(self, session))


# Histories.


@mutation("terms leave no mark: timelines alone order histories")
def no_mark_of_the_term(swap: Swap) -> None:
    swap(SimPostgresClient, "mark_term", lambda self, term: None)
    swap(act_postgres, "was_led", lambda position, terms: True)


@mutation("timelines of one number are taken to be one timeline")
def numbers_of_timelines_trusted(swap: Swap) -> None:
    swap(act_postgres, "was_led", lambda position, terms: True)


@mutation("an old leader takes its lease back although somebody else has led since")
def remnant_leads_on(swap: Swap) -> None:
    swap(leadership, "_is_remnant", lambda snapshot: False)


@mutation("a diverged database streams from the leader without a rewind")
def rewind_left_out(swap: Swap) -> None:
    swap(act_postgres, "was_led", lambda position, terms: True)
    swap(act_postgres, "shares_history", lambda position, timeline, forks: True)


@mutation("a stopped database is revived as the primary that it was")
def revived_as_primary(swap: Swap) -> None:
    def revive(clients: Any, _: actions.Revive) -> actions.Done:
        clients.postgres.start(standby=False)
        return actions.Done()

    performing(swap, actions.Revive, revive)


# The sync record.


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


@mutation("a record is confirmed although another setting is on disk, to come into force some day")
def setting_on_disk_forgotten(swap: Swap) -> None:
    original = act_leadership.confirm_record

    def confirm(clients: Any, action: Any) -> Any:
        set_standbys, clients.postgres.set_standbys = clients.postgres.set_standbys, lambda setting: None
        try:
            return original(clients, action)
        finally:
            clients.postgres.set_standbys = set_standbys

    performing(swap, actions.ConfirmRecord, confirm)


@mutation("a change is made although the sync record is another one by now", stale_reads=0.3)
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


# Leading.


@mutation("whoever holds no lease, or not in this term, may still act as the leader")
def stale_term_accepted(swap: Swap) -> None:
    def own_session(clients: Any, term: int) -> str:
        return session.read(clients.config) or ""

    swap(act_leadership, "require_lease", own_session)
    swap(act_postgres, "require_lease", own_session)
    swap(SimConsulClient, "_as_leader", lambda self, session, term: self._ask())


@mutation("a new primary waits for nobody")
def promoted_without_standbys(swap: Swap) -> None:
    original = SimPostgresClient.prepare_promotion
    swap(SimPostgresClient, "prepare_promotion", lambda self, setting: original(self, SyncSetting()))
    _open_at_once(swap)


@mutation("a new primary takes writes before its first record is written")
def writes_before_the_record(swap: Swap) -> None:
    _open_at_once(swap)


def _open_at_once(swap: Swap) -> None:
    original = SimPostgresClient.promote

    def promote(self: SimPostgresClient, timeout_s: float) -> None:
        original(self, timeout_s)
        self._database.disk.read_only = False
        self._database.reload()

    swap(SimPostgresClient, "promote", promote)


@mutation("the target of a switchover takes over before it has everything")
def target_takes_over_too_early(swap: Swap) -> None:
    swap(SimPostgresClient, "wait_caught_up", _wait_for_all_but_the_target)
    swap(SimPostgresClient, "_send_the_rest", lambda self: None)
    original = leadership.take_over

    def take_over(snapshot: Any, spec: Any) -> Any:
        view = snapshot.cluster
        if view.switchover is not None and view.switchover.released_at is not None:
            nothing = replace(view.switchover, released_at=snapshot.database.position)
            snapshot = replace(snapshot, cluster=replace(view, switchover=nothing))
        return original(snapshot, spec)

    rules = decide.PLAYBOOK[Situation.HANDING_OVER]
    swapped = tuple(take_over if rule.__name__ == "take_over" else rule for rule in rules)
    swap(decide, "PLAYBOOK", {**decide.PLAYBOOK, Situation.HANDING_OVER: swapped})


_wait_caught_up = SimPostgresClient.wait_caught_up


def _wait_for_all_but_the_target(self: SimPostgresClient, members: Any, timeout_s: float) -> None:
    if not isinstance(members, list):
        _wait_caught_up(self, members, timeout_s)


@mutation("a hand-over whose database ended in disorder is tried for ever")
def hand_over_never_given_up(swap: Swap) -> None:
    swap(SimConsulClient, "clear_switchover", lambda self, term: None)


@mutation("a node that was removed goes on as before, and its report counts")
def removed_node_goes_on(swap: Swap) -> None:
    situation_of = decide.situation_of

    def blind(snapshot: Any, spec: Any) -> Any:
        view = snapshot.cluster
        if view is not None and snapshot.me in view.removed:
            snapshot = replace(snapshot, cluster=replace(view, removed=frozenset()))
        return situation_of(snapshot, spec)

    swap(decide, "situation_of", blind)
    swap(
        leadership,
        "reports_of_round",
        lambda view: tuple(report for report in view.reports.values() if report.round == view.lease.modified),
    )
    swap(leadership, "_is_candidate", lambda report, view: report.eligible)


@mutation("an action goes on after its worker was killed, beside those of the next worker")
def two_actions_at_a_time(swap: Swap) -> None:
    kill = Machine.kill_worker

    def kill_all_but_the_action(machine: Machine) -> None:
        if machine.plan is not None and machine.worker.alive:
            orphan, machine.worker = machine.worker, type(machine.worker)(
                machine.cluster.schedule, machine._work_for_ever
            )
            orphan.actor.freeze()
            machine.orphans.append(orphan)
        kill(machine)

    swap(Machine, "kill_worker", kill_all_but_the_action)


COVERED: Mapping[str, str] = {}
"""Mutations that cannot be noticed alone, and which other rule makes up for them."""
