"""Act on the database: fence, revive, promote, open, follow."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime

from orchestrator.act.archive import archive_by_dump, replace_and_archive
from orchestrator.act.lease import require_lease, require_record
from orchestrator.clients import Clients, ssh_files
from orchestrator.clients.postgres import Upstream
from orchestrator.model.action import (
    AlreadyDone,
    Done,
    Fence,
    Follow,
    KeepSlots,
    OpenWrites,
    Outcome,
    PreparePromotion,
    Promote,
    Revive,
    SetStandbys,
    StartPrimary,
    StopEverything,
)
from orchestrator.model.errors import Diverged, StaleRound, StaleTerm, Unfinished
from orchestrator.model.lsn import shares_history, was_led
from orchestrator.model.snapshot import MembershipState, Role
from orchestrator.model.spec import LEADER_SERVICES
from orchestrator.record import (
    alone,
    attempts,
    election,
    journal,
    lease_file,
    membership,
    minority,
    promises,
)


def fence(clients: Clients, action: Fence) -> Outcome:
    """Stop the database the fast and certain way."""
    return Done(action.reason) if clients.postgres.kill() else AlreadyDone("no database runs here")


def revive(clients: Clients, _: Revive) -> Outcome:
    """Start the database as a standby of nobody."""
    if clients.postgres.read().role is not Role.STOPPED:
        return AlreadyDone("the database runs")
    clients.postgres.detach(clients.config.timing.detach_timeout_s)
    clients.postgres.start(standby=True)
    return Done()


def prepare_promotion(clients: Clients, action: PreparePromotion) -> Outcome:
    """Let a standby have the settings of a new primary. A primary's are never touched by this."""
    if clients.postgres.read().role is not Role.STANDBY:
        return AlreadyDone("the database is no standby")
    clients.postgres.prepare_promotion(action.setting)
    return Done()


def promote(clients: Clients, action: Promote) -> Outcome:
    """Become the primary. Nothing is acknowledged before the sync record of the term is written.

    The old leader's force fence runs beside the preparation and is waited for no longer than its limit:
    it spares the old leader's clients a wait, safety does not depend on it.
    """
    require_lease(clients, action.term)
    role = clients.postgres.read().role
    if role is Role.PRIMARY:
        return AlreadyDone("the database is the primary")
    with ThreadPoolExecutor(1) as pool:
        forced = pool.submit(_fence_by_force, clients, action)
        if role is Role.STOPPED:
            clients.postgres.start(standby=True)
        if action.setting.k == 0:
            alone.begin(clients.config, action.term)
        clients.postgres.prepare_promotion(action.setting)
        fenced = _result_in_time(forced, clients.config.timing.fence_timeout_s)
    require_lease(clients, action.term)
    clients.postgres.promote(clients.config.timing.promote_timeout_s)
    journal.tell(clients, action.term, "promoted", f"the database of {clients.me} was promoted")
    return Done(f"old leader {'fenced' if fenced else 'not reached'}" if action.old_leader else "")


def _fence_by_force(clients: Clients, action: Promote) -> bool:
    if action.old_leader is None:
        return False
    old = clients.consul.view().members.get(action.old_leader)
    if old is None:
        return False
    return clients.peers.fence(old, action.term, clients.config.timing.fence_timeout_s)


def _result_in_time(forced: Future[bool], timeout_s: float) -> bool:
    try:
        return forced.result(timeout_s)
    except NotInTime:
        return False


def start_primary(clients: Clients, action: StartPrimary) -> Outcome:
    """Start the database on its own timeline, which nobody has left in this term."""
    if action.term is not None:
        require_lease(clients, action.term)
    elif membership.read(clients.config.paths.membership_file).state is not MembershipState.ALONE:
        raise StaleTerm("decided while this manager was alone, which it is no more")
    if clients.postgres.read().role is not Role.STOPPED:
        return AlreadyDone("the database runs")
    clients.postgres.start(standby=False)
    return Done()


def set_standbys(clients: Clients, action: SetStandbys) -> Outcome:
    """Change whom PostgreSQL waits for; returns when that is in force."""
    require_lease(clients, action.term)
    require_record(clients, action.record)
    if action.setting.k == 0:
        alone.begin(clients.config, action.term)
    clients.postgres.set_standbys(action.setting)
    return Done(f"{action.setting.k} of {', '.join(sorted(action.setting.members)) or 'nobody'}")


def open_writes(clients: Clients, action: OpenWrites) -> Outcome:
    """Let writes in: from now on this leader acknowledges.

    Raises ``Unfinished`` while a step into office is missing.
    """
    # What the setting says has to be what every process of the server does, before anything is acknowledged.
    clients.postgres.confirm_standbys()
    view = clients.consul.view()
    require_lease(clients, action.term, view.lease)
    if view.announcement is None or view.announcement.term != action.term:
        raise Unfinished("this leader is not announced yet")
    record = view.record
    if record is None or (record.term, record.leader) != (action.term, clients.me):
        raise Unfinished("the first sync record of the term is not written yet")
    database = clients.postgres.read()
    if database.role is not Role.PRIMARY or not database.setting.implies(record):
        raise Unfinished("PostgreSQL does not do yet what the sync record claims")
    clients.postgres.set_read_only(read_only=False)
    # Clients need not wait for the next tick, which would find what has just been made sure of.
    lease_file.open_gate(clients.config.paths.lease_file, action.term)
    won = election.of_term(clients.config, action.term)
    cause, took_s = (won.cause, time.time() - won.freed_at) if won else ("", None)
    journal.tell(clients, action.term, "serving", f"{clients.me} accepts writes", None, took_s, cause)
    return Done()


def keep_slots(clients: Clients, action: KeepSlots) -> Outcome:
    """Have a slot for each node, and let exactly these nodes in: to replicate, and to fence."""
    members = clients.consul.view().members.values()
    ssh_files.authorise(clients.config, [member for member in members if member.name in action.nodes])
    clients.postgres.write_config(clients.me, action.nodes | {clients.me})
    clients.postgres.keep_slots(action.nodes)
    return Done(", ".join(sorted(action.nodes)) or "none")


def follow(clients: Clients, action: Follow) -> Outcome:
    """Become a standby of the announced leader: stream, else rewind, else rebuild.

    Whatever the database was, it is first a detached standby that has replayed all it has; then its
    position shows whether its history is the leader's.
    """
    _require_fresh(clients, action)
    upstream = Upstream(action.leader, action.host_ip, action.port, action.incarnation)
    tries = attempts.count(clients.config, action.term)
    if tries > MOST_TRIES:
        # It need not even start: a rewind that was cut short leaves something that never will.
        how = _rebuild(clients, action, upstream, rewindable=False)
    else:
        how = _mend(clients, action, upstream)
    if not clients.postgres.wait_receiving(clients.config.timing.receiver_grace_s):
        raise Unfinished(f"{action.leader} is not streaming to this node yet (try {tries})")
    attempts.forget(clients.config)
    minority.end(clients.config)
    alone.end(clients.config)
    journal.tell(clients, action.term, "following", f"{clients.me} follows {action.leader}: {how}")
    return Done(how)


def _mend(clients: Clients, action: Follow, upstream: Upstream) -> str:
    try:
        _become_detached_standby(clients)
        position = clients.postgres.final_position()
    except Diverged:
        return _rebuild(clients, action, upstream, rewindable=True)
    known = was_led(position, action.terms)
    if not known or not shares_history(position, action.timeline, action.forks):
        if action.healed:
            # What is here was acknowledged by a majority, and the leader does not have it.
            alone.begin(clients.config, position.term)
        archive_by_dump(clients, action, str(position))
        return _rebuild(clients, action, upstream, rewindable=known)
    clients.postgres.set_upstream(upstream)
    return f"streaming from {position}"


MOST_TRIES = 3
"""After so many vain tries to stream, the log that is needed is gone: only a base backup helps."""


def _require_fresh(clients: Clients, action: Follow) -> None:
    promised = promises.read(clients.config.paths.promise_file).round
    if promised >= action.seen_at:
        raise StaleRound(f"seen at {action.seen_at}, but this node has promised in round {promised}")
    lease = clients.consul.read_lease()
    if lease.free or lease.term != action.term:
        raise StaleTerm(f"decided in term {action.term}, but the lease is {lease}")


def _become_detached_standby(clients: Clients) -> None:
    role = clients.postgres.read().role
    if role is Role.PRIMARY:
        clients.postgres.stop("fast")
    elif role is Role.UNREACHABLE:
        clients.postgres.stop("immediate")
    clients.postgres.detach(clients.config.timing.detach_timeout_s)
    if role is not Role.STANDBY:
        clients.postgres.start(standby=True)


def _rebuild(clients: Clients, action: Follow, upstream: Upstream, *, rewindable: bool) -> str:
    clients.postgres.stop("fast")
    how = _replace(clients, action, upstream, rewindable=rewindable)
    clients.postgres.set_upstream(upstream)
    clients.postgres.start(standby=True)
    return how


def _replace(clients: Clients, action: Follow, upstream: Upstream, *, rewindable: bool) -> str:
    if began := alone.read(clients.config):
        # It could not be read, or it would have been archived: so it is kept as it is.
        replace_and_archive(clients, action, upstream, began)
        return "rebuilt from a base backup"
    try:
        if rewindable:
            clients.postgres.rewind(upstream)
            return "rewound"
    except Diverged:
        pass
    clients.postgres.base_backup(upstream)
    return "rebuilt from a base backup"


def stop_everything(clients: Clients, _: StopEverything) -> Outcome:
    """Take a removed node out of service; what it has stays on its disk."""
    for name in (*reversed(LEADER_SERVICES), "postgresql"):
        clients.services.stop(name)
    return Done()
