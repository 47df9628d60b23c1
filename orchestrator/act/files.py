"""Act on the replicated files: mirror the leader's, gather what a new leader lacks, sweep orphans.

Whatever is interrupted is taken up by the next run. The order of the steps is what safety rests on: see
``docs/adr/0010``.
"""

from __future__ import annotations

import logging

from orchestrator.act.lease import require_lease
from orchestrator.clients import Clients
from orchestrator.clients.clock import now_s
from orchestrator.model.action import AlreadyDone, Done, Outcome
from orchestrator.model.errors import PeerUnavailable, StaleTerm, Unfinished
from orchestrator.model.file_actions import GatherFiles, SweepFiles, SyncFiles
from orchestrator.model.files import FilesRecord, FilesReport
from orchestrator.model.snapshot import ClusterView, Member, MembershipState
from orchestrator.record import files, journal, membership

log = logging.getLogger(__name__)

SHOWN = 3
REPLAY_S = 1.0
"""How long a replica waits for its rows to say what the leader's say."""


def sync_files(clients: Clients, action: SyncFiles) -> Outcome:
    """Mirror the leader's files, then report the generation that they had when this began."""
    began_s = now_s()
    with files.failure_noted(clients.config, began_s), clients.mirror.alone():
        # First what is here, then whether this node still follows: what is here now was not uploaded here
        # in a later term, so nothing of that can be taken for something that the leader has deleted.
        own = clients.mirror.units()
        record, leader = _followed(clients, action)
        theirs = clients.mirror.units_of(leader)
        fetched = clients.mirror.fetch(leader, theirs - own)
        mended = 0
        if action.compare:
            mended = clients.mirror.mend(
                leader, theirs & own, by_content=action.by_content, delete=record.complete
            )
        clients.consul.report_files(FilesReport(record.term, record.generation))
        removed = _remove_surplus(clients, own - theirs) if record.complete else 0
        _note_synced(clients, action, record, began_s)
    return Done(
        f"generation {record.generation}: {fetched} units fetched, {removed} removed, {mended} files mended"
    )


def _followed(clients: Clients, action: SyncFiles) -> tuple[FilesRecord, Member]:
    """The files record of the leader that was decided on, if it leads by a consistent read."""
    view = clients.consul.view()
    record = view.files
    if (view.lease.holder, view.lease.term) != (action.leader, action.term):
        raise StaleTerm(f"decided in term {action.term} of {action.leader}, but the lease is {view.lease}")
    if record is None or record.term != action.term or action.leader == clients.me:
        raise StaleTerm(f"{action.leader} has not said yet how its files are")
    if action.leader not in view.members:
        raise StaleTerm(f"{action.leader} is no member any more")
    return record, view.members[action.leader]


def _remove_surplus(clients: Clients, surplus: frozenset[str]) -> int:
    """Remove what the leader does not have, but nothing that this node's own rows (still) name."""
    if not surplus:
        return 0
    free = clients.product.unnamed(surplus, REPLAY_S)
    clients.mirror.remove(free)
    if named := surplus - free:
        raise Unfinished(f"{_some(named)}: the leader has it no more, but this node's rows name it")
    return len(surplus)


def _note_synced(clients: Clients, action: SyncFiles, record: FilesRecord, began_s: float) -> None:
    times = {}
    if action.compare:
        times["compared_at_s"] = began_s
    # A check reads every file on both machines: a restart alone is no reason for one, it only sets the clock.
    if action.by_content or files.read(clients.config).checked_at_s is None:
        times["checked_at_s"] = began_s
    files.note(clients.config, mirrored=record, failed_at_s=None, **times)


def gather_files(clients: Clients, action: GatherFiles) -> Outcome:
    """Have everything that the rows name, from whichever member has it; then say that this is so."""
    began_s = now_s()
    with files.failure_noted(clients.config, began_s), clients.mirror.alone():
        own = require_lease(clients, action.term)
        view = clients.consul.view()
        if view.files is None or view.files.term != action.term:
            # From here on replicas mirror this leader, and delete nothing.
            clients.consul.bump_files(own, action.term, complete=False, missing=0)
        missing = _missing(clients)
        fetched = _fetch_from_anyone(clients, view, missing) if missing else ()
        missing = _missing(clients) if fetched else missing
        if missing:
            _tell_missing(clients, action.term, own, missing)
            raise Unfinished(f"no member that can be reached has {_some(missing)}")
        clients.consul.bump_files(own, action.term, complete=True, missing=0)
        said = f"{clients.me} has all files of its rows" + (
            f"; fetched {', '.join(fetched)}" if fetched else ""
        )
        journal.tell(clients, action.term, "files_complete", said, duration_s=now_s() - began_s)
        files.note(clients.config, failed_at_s=None, told=())
    return Done(", ".join(fetched))


def _missing(clients: Clients) -> frozenset[str]:
    """Units that rows name and that are not here.

    The rows are asked before and after: an upload brings its unit before its row, a deletion takes its row
    before its unit. So a unit that is named both times and not here in between is truly missing.
    """
    named = clients.product.named()
    absent = named - clients.mirror.units()
    return absent & clients.product.named() if absent else absent


def _fetch_from_anyone(clients: Clients, view: ClusterView, missing: frozenset[str]) -> tuple[str, ...]:
    """Fetch what is missing from other members, first from those that are well; how much from whom."""
    others = [member for name, member in view.members.items() if name != clients.me]
    health = clients.consul.health()
    fetched = []
    for member in sorted(
        others, key=lambda other: ("heartbeat" not in health.get(other.name, ()), other.name)
    ):
        try:
            found = missing & clients.mirror.units_of(member)
            count = clients.mirror.fetch(member, found) if found else 0
        except (PeerUnavailable, Unfinished) as error:
            log.warning("Missing files are not to be had from %s: %s", member.name, error)
            continue
        if count:
            fetched.append(f"{count} from {member.name}")
        missing -= found
        if not missing:
            break
    return tuple(fetched)


def _tell_missing(clients: Clients, term: int, own: str, missing: frozenset[str]) -> None:
    """Say it loudly, and once; it is tried again and again without a word."""
    record = clients.consul.files_record()
    if record is None or (record.complete, record.missing) != (False, len(missing)):
        clients.consul.bump_files(own, term, complete=False, missing=len(missing))
    told = tuple(sorted(missing)[:SHOWN])
    if files.read(clients.config).told != told:
        log.error("%d files that rows name are on no member that can be reached: %s", len(missing), told)
        journal.tell(
            clients, term, "files_missing", f"{clients.me} lacks {_some(missing)}, which no member has"
        )
        files.note(clients.config, told=told)


def sweep_files(clients: Clients, action: SweepFiles) -> Outcome:
    """Remove units that no row names and whose upload is not under way; see that no others are missing.

    The order matters. An upload locks itself before its unit appears, until its row is committed or it has
    given up; so a unit that is seen first and found unlocked then has its row by now, or will never have it.
    """
    began_s, timing = now_s(), clients.config.timing
    with files.failure_noted(clients.config, began_s), clients.mirror.alone():
        own = _require_office(clients, action)
        units = clients.mirror.units()
        settled = units - clients.mirror.in_flight(units)
        # The row of an upload whose process was killed may still be waiting for its replicas.
        clients.product.settle(timing.catch_up_timeout_s)
        orphans = settled - clients.product.named()
        if orphans:
            _deletions_are_replicated(clients, action)
            own = _require_office(clients, action)
            clients.mirror.remove(orphans)
            _tell_swept(clients, action, own, orphans, now_s() - began_s)
        missing = _missing(clients)
        if missing:
            log.error("%d files that rows name are not here: %s", len(missing), _some(missing))
        if missing and action.term is not None:
            clients.consul.bump_files(own, action.term, complete=False, missing=len(missing))
        files.note(clients.config, swept_at_s=began_s, failed_at_s=None)
    return Done(f"{len(orphans)} orphans") if orphans else AlreadyDone("every unit belongs to a row")


def _require_office(clients: Clients, action: SweepFiles) -> str:
    """The session of a leader; of a manager that is alone there is none, and it must be alone still."""
    if action.term is not None:
        return require_lease(clients, action.term)
    if membership.read(clients.config.paths.membership_file).state is not MembershipState.ALONE:
        raise StaleTerm("decided while this manager was alone, which it is no more")
    return ""


def _deletions_are_replicated(clients: Clients, action: SweepFiles) -> None:
    """That a row is gone is true of every later leader only when replicas know it as well."""
    record = clients.consul.view().record if action.term is not None else None
    if record is not None and record.members:
        clients.postgres.wait_caught_up(record.members, clients.config.timing.catch_up_timeout_s)


def _tell_swept(
    clients: Clients, action: SweepFiles, own: str, orphans: frozenset[str], duration_s: float
) -> None:
    if action.term is not None:
        clients.consul.bump_files(own, action.term)
        said = f"{clients.me} removed {len(orphans)} units that no row names"
        journal.tell(clients, action.term, "files_swept", said, duration_s=duration_s)


def _some(units: frozenset[str]) -> str:
    shown = ", ".join(sorted(units)[:SHOWN])
    return f"{shown} and {len(units) - SHOWN} more" if len(units) > SHOWN else shown
