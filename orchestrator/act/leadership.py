"""Act on the lease: report, acquire, announce, hand over, step down."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from orchestrator.act.lease import require_lease, require_record
from orchestrator.act.minority import settle
from orchestrator.clients import Clients
from orchestrator.model.action import (
    AcquireLease,
    AlreadyDone,
    Announce,
    ConfirmRecord,
    Detach,
    Done,
    EndSession,
    EndSwitchover,
    FirstRecord,
    HandOver,
    Outcome,
    ReportPosition,
    StepDown,
    WriteRecord,
)
from orchestrator.model.errors import DatabaseUnavailable, ServicesUnavailable, Stale, StaleRound, Unfinished
from orchestrator.model.snapshot import Announcement, Report, Role, Switchover, SyncRecord, SyncSetting
from orchestrator.record import alone, election, journal, minority, promises, session, word
from orchestrator.record.election import Election

CHECKPOINT_TIMEOUT_S = 10.0
"""How long a leader that is to hand over is given to write back what would make its stop take long."""


def detach(clients: Clients, action: Detach) -> Outcome:
    """Promise first, on disk; then let go of the old leader, unless it has this node's word for a while."""
    promises.promise_round(clients.config.paths.promise_file, action.round)
    word.require_free(clients.config)
    clients.postgres.detach(clients.config.timing.detach_timeout_s)
    return Done(f"promised in round {action.round}")


def report_position(clients: Clients, action: ReportPosition) -> Outcome:
    """Report what this database has. Only a promise makes that final, so there is no report without one."""
    word.require_free(clients.config)
    promised = promises.read(clients.config.paths.promise_file).round
    if promised != action.round:
        raise StaleRound(f"no report for round {action.round}: this node has promised in round {promised}")
    database = clients.postgres.read()
    if database.role is Role.STANDBY and (database.upstream or database.receiving):
        raise Unfinished("still attached to a leader; the position is not final")
    position = clients.postgres.final_position()
    acted_alone = minority.read(clients.config)
    clients.consul.report(
        Report(
            clients.me,
            action.round,
            # What it has written alone says nothing about what it has of that which others acknowledged.
            acted_alone.parted_at if acted_alone else position,
            primary=database.role is Role.PRIMARY,
            eligible=action.eligible,
            priority=clients.config.priority,
            updated_at=action.updated_at,
        )
    )
    return Done(f"at {position}")


def acquire_lease(clients: Clients, action: AcquireLease) -> Outcome:
    """Take the lease if it is still free in the very round that was decided on."""
    freed_at_s = time.time() - action.free_for_s
    new = clients.consul.create_session()
    session.write(clients.config, new)
    if not clients.consul.acquire_lease(new, action.round):
        clients.consul.destroy_session(new)
        return AlreadyDone("another node was faster, or the round is over")
    term = clients.consul.read_lease().term
    elected_at_s = time.time()
    journal.tell(clients, term, "lease_free", "the lease became free", freed_at_s)
    journal.tell(clients, term, "elected", f"{clients.me} was elected", elected_at_s, cause=action.cause)
    election.remember(clients.config, Election(term, freed_at_s, action.cause))
    return Done(f"leader of term {term}")


def end_session(clients: Clients, action: EndSession) -> Outcome:
    """End the session that holds the lease, unless the lease has moved on."""
    lease = clients.consul.read_lease()
    if (lease.session, lease.term) != (action.session, action.term):
        return AlreadyDone("the lease has moved on")
    clients.consul.destroy_session(action.session)
    journal.tell(clients, action.term, "session_ended", f"ended the leader's session: {action.reason}")
    return Done(action.reason)


def step_down(clients: Clients, action: StepDown) -> Outcome:
    """Release the lease, and remember, so that this node does not take it back at once."""
    own = require_lease(clients, action.term)
    promises.remember_stepping_down(clients.config.paths.promise_file, action.term)
    clients.consul.release_lease(own)
    journal.tell(clients, action.term, "stepped_down", f"{clients.me} stepped down: {action.reason}")
    return Done(action.reason)


def announce(clients: Clients, action: Announce) -> Outcome:
    """Tell the others where to follow: only a primary can be followed.

    First the term leaves its mark in the database. Whoever has streamed it has all that was there before,
    and is ahead of everybody who has not, whatever the numbers of their timelines are.
    """
    own = require_lease(clients, action.term)
    database = clients.postgres.read()
    if database.role is not Role.PRIMARY or database.position is None:
        raise Unfinished("the database is not the primary yet")
    clients.postgres.mark_term(action.term)
    config, timeline = clients.config, database.position.timeline
    postgres = clients.postgres
    healed = minority.read(config) is not None
    history = (timeline, postgres.forks(), postgres.terms(), postgres.incarnation(), healed)
    clients.consul.announce(
        own, Announcement(action.term, clients.me, config.host_ip, config.ports.postgres, *history)
    )
    journal.tell(clients, action.term, "announced", f"{clients.me} leads, on timeline {timeline}")
    return Done(f"term {action.term}, timeline {timeline}")


def first_record(clients: Clients, action: FirstRecord) -> Outcome:
    """Write the first record of a new leader, when what it claims is true.

    Until ``open_writes`` nothing is acknowledged, so PostgreSQL may be told to wait for just those replicas
    that were the first to have all that this database had when it was promoted, and need not be waited for.
    """
    view = clients.consul.view()
    own = require_lease(clients, action.term, view.lease)
    if view.record is not None and view.record.leader == clients.me:
        raise Stale("this leader is on record already")
    caught_up = clients.postgres.first_caught_up(action.members, clients.config.timing.catch_up_timeout_s)
    if not action.all_of_them:
        clients.postgres.announce_standbys(SyncSetting(1, caught_up))
    record = SyncRecord(action.term, clients.me, 1, action.members if action.all_of_them else caught_up)
    clients.consul.write_record(own, record)
    settle(clients, action.term)
    alone.end(clients.config)
    return Done(_in_words(record))


def write_record(clients: Clients, action: WriteRecord) -> Outcome:
    """Write the record at once; Consul refuses it when the lease is gone."""
    own = require_lease(clients, action.record.term)
    require_record(clients, action.before)
    clients.consul.write_record(own, action.record)
    return Done(_in_words(action.record))


def confirm_record(clients: Clients, action: ConfirmRecord) -> Outcome:
    """Write a stronger record, once what it claims holds for everything acknowledged so far."""
    own, record = require_lease(clients, action.record.term), action.record
    setting = SyncSetting(record.k, record.members)
    if clients.postgres.read().setting != setting:
        raise Unfinished("PostgreSQL's setting is not the record's yet")
    # Another one may be on disk, left by an action that was killed, and would come into force some day.
    clients.postgres.set_standbys(setting)
    clients.postgres.wait_caught_up(record.members, clients.config.timing.catch_up_timeout_s)
    clients.consul.write_record(own, record)
    if record.k > 0:
        alone.end(clients.config)
    return Done(_in_words(record))


def _in_words(record: SyncRecord) -> str:
    if record.k == 0:
        return "nobody: the leader is alone" if record.mode == "quorum" else "nobody: asynchronous"
    return f"{record.k} of {', '.join(sorted(record.members))}"


def hand_over(clients: Clients, action: HandOver) -> Outcome:
    """Drain, let the target catch up, stop cleanly, name the target and release, all or nothing."""
    view = clients.consul.view()
    own = require_lease(clients, action.term, view.lease)
    if view.switchover != (asked := Switchover(action.term, action.target)):
        clients.consul.put_switchover(own, asked)
    if clients.postgres.read().role is Role.PRIMARY:
        _prepare(clients, action)
        _drain(clients, action)
        clients.postgres.shut_down()
    try:
        released_at = replace(clients.postgres.shutdown_position(), term=action.term)
    except DatabaseUnavailable:
        # It was not stopped in good order: nobody can be promised that this is all. Lead on.
        clients.consul.clear_switchover(action.term)
        raise
    clients.consul.hand_over(own, Switchover(action.term, action.target, released_at))
    journal.tell(clients, action.term, "handed_over", f"{clients.me} handed over to {action.target}")
    # The service manager may still have to notice: nobody need wait for that but who starts it again.
    with suppress(ServicesUnavailable):
        clients.postgres.stop("fast")
    return Done(f"{action.target} has everything up to {released_at}")


def _prepare(clients: Clients, action: HandOver) -> None:
    """What has been written and received while writes go on need not be when they have to wait for it."""
    with suppress(DatabaseUnavailable):
        # If it takes longer, the stop will too. Whether the database is well is found out by what follows.
        clients.postgres.checkpoint(CHECKPOINT_TIMEOUT_S)
    _wait_for_target(clients, action)


def _drain(clients: Clients, action: HandOver) -> None:
    """Refuse writes until the target has them all.

    To let writes in again is left to ``OpenWrites``, which looks whether this leader is in office at all.
    """
    clients.postgres.set_read_only(read_only=True)
    _wait_for_target(clients, action)


def _wait_for_target(clients: Clients, action: HandOver) -> None:
    """If that takes too long, go back to leading."""
    try:
        clients.postgres.wait_caught_up([action.target], clients.config.timing.catch_up_timeout_s)
    except Unfinished:
        clients.consul.clear_switchover(action.term)
        journal.tell(clients, action.term, "switchover_failed", f"{action.target} did not catch up in time")
        raise


def end_switchover(clients: Clients, action: EndSwitchover) -> Outcome:
    """Forget the switchover of ``action.term``."""
    clients.consul.clear_switchover(action.term)
    return Done(action.reason)
