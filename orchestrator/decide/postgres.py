"""The rules about the database: promote, keep the sync record, open it for writes, follow, revive."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.decide.minority import awaits_answer
from orchestrator.decide.quorum import Step, next_step, wanted_k
from orchestrator.decide.situation import announced, view_of
from orchestrator.model.action import (
    FirstRecord,
    Follow,
    KeepSlots,
    OpenWrites,
    PreparePromotion,
    Promote,
    Revive,
    SetStandbys,
    StartPrimary,
    StopEverything,
    WriteRecord,
)
from orchestrator.model.snapshot import (
    Announcement,
    ClusterView,
    MembershipState,
    Role,
    Snapshot,
    SyncRecord,
    SyncSetting,
)
from orchestrator.model.spec import Spec


def revive(snapshot: Snapshot, spec: Spec) -> Revive | None:
    """A stopped database can neither report nor serve; detached it can do no harm."""
    return Revive() if snapshot.database.role is Role.STOPPED else None


def promote(snapshot: Snapshot, spec: Spec) -> Promote | None:
    """The leader's database must be the primary, waiting for replicas from its first commit on."""
    stopped_in_term = snapshot.database.role is Role.STOPPED and announced(snapshot)
    if snapshot.database.role in (Role.PRIMARY, Role.UNREACHABLE) or stopped_in_term:
        return None
    view = view_of(snapshot)
    return Promote(view.lease.term, _first_setting(snapshot, view), _to_be_fenced(snapshot, view))


def prepare_promotion(snapshot: Snapshot, spec: Spec) -> PreparePromotion | None:
    """The target of a switchover has done what it can before the old leader stops taking writes."""
    view = view_of(snapshot)
    switchover, database = view.switchover, snapshot.database
    if switchover is None or (switchover.term, switchover.target) != (view.lease.term, snapshot.me):
        return None
    setting = _first_setting(snapshot, view)
    if database.role is not Role.STANDBY or (database.read_only and database.setting == setting):
        return None
    return PreparePromotion(switchover.term, setting)


def _first_setting(snapshot: Snapshot, view: ClusterView) -> SyncSetting:
    """Whom a new primary waits for: whoever is there."""
    others = frozenset(view.members) - {snapshot.me}
    alive = frozenset(name for name in others if "heartbeat" in view.health.get(name, frozenset()))
    waited_for = alive or others
    return SyncSetting(min(1, len(waited_for)), waited_for)


def _to_be_fenced(snapshot: Snapshot, view: ClusterView) -> str | None:
    """The old leader, unless it is this node, or has stopped its own database to hand over."""
    if view.record is None or view.record.leader == snapshot.me:
        return None
    return None if _was_handed_over(view) else view.record.leader


def _was_handed_over(view: ClusterView) -> bool:
    """Whether the leader before has stopped its own database, in good order, for the present one."""
    record, switchover = view.record, view.switchover
    if record is None or switchover is None:
        return False
    return switchover.released_at is not None and switchover.term == record.term


def _follows_a_switchover(view: ClusterView) -> bool:
    """Whether the leader before has left what it had to the present one, and to the others that streamed."""
    return _was_handed_over(view) and view.switchover is not None and not view.switchover.heals


def start_primary(snapshot: Snapshot, spec: Spec) -> StartPrimary | None:
    """The database of an announced leader has stopped, and nobody else can take over: start it again."""
    if snapshot.database.role is Role.STOPPED and announced(snapshot):
        return StartPrimary(view_of(snapshot).lease.term)
    return None


def start_alone(snapshot: Snapshot, spec: Spec) -> StartPrimary | None:
    """A manager that belongs to no cluster is its own master; one that is just joining is not."""
    alone = snapshot.membership is MembershipState.ALONE
    return StartPrimary(None) if alone and snapshot.database.role is Role.STOPPED else None


def _streaming(snapshot: Snapshot) -> frozenset[str]:
    members = view_of(snapshot).members
    return frozenset(
        name for name, stream in snapshot.database.streams.items() if stream.streaming and name in members
    )


def wanted_setting(snapshot: Snapshot, spec: Spec) -> SyncSetting:
    """Whom a commit should wait for: members that stream, and those that have not been away for long."""
    if spec.options.sync_mode == "async":
        return SyncSetting()
    view = view_of(snapshot)
    on_record = view.record.members if view.record else frozenset()
    others = frozenset(view.members) - {snapshot.me}
    streaming = _streaming(snapshot)
    patience_s = spec.drop_after_s if streaming else spec.alone_after_s
    missed = frozenset(name for name in on_record & others if snapshot.absent_s.get(name, 0.0) < patience_s)
    # While nobody streams, narrowing the record cannot succeed: either all stay, or the leader goes on alone.
    members = streaming | missed if streaming or not missed else on_record & others
    return SyncSetting(wanted_k(len(view.members), len(members)), members)


def first_record(snapshot: Snapshot, spec: Spec) -> FirstRecord | WriteRecord | None:
    """A new leader's own record, once a replica has all that the leader had at its promotion.

    Nothing is acknowledged before that. With no replica for a configured time it goes on alone.
    """
    view = view_of(snapshot)
    if view.record is None or view.record.leader == snapshot.me:
        return None
    term, others = view.lease.term, frozenset(view.members) - {snapshot.me}
    deserted = not _streaming(snapshot) and view.lease_seen_s >= spec.alone_after_s
    if deserted or not others or spec.options.sync_mode == "async":
        alone = SyncRecord(term, snapshot.me, 0, frozenset(), spec.options.sync_mode)
        return WriteRecord(alone, view.record)
    waited_for = _first_setting(snapshot, view).members
    if _follows_a_switchover(view) and wanted_k(len(view.members), len(waited_for)) == 1:
        # All are well, the old leader too: what the record comes to in the end can be written at once.
        return FirstRecord(term, waited_for, all_of_them=True)
    return FirstRecord(term, others)


def keep_record(snapshot: Snapshot, spec: Spec) -> Step | None:
    """Bring sync record and setting, one step at a time, to what is wanted."""
    view = view_of(snapshot)
    record, setting = view.record, snapshot.database.setting
    if snapshot.database.role is not Role.PRIMARY or record is None or record.leader != snapshot.me:
        return None
    if snapshot.minority is not None and record.k > 0:
        # It leads again, and has written alone meanwhile: nobody else has that until the record says so anew.
        return WriteRecord(replace(record, term=view.lease.term, k=0, members=frozenset()), record)
    if not setting.implies(record):
        return SetStandbys(view.lease.term, SyncSetting(record.k, record.members), record)
    if record.term != view.lease.term:
        # It leads again. Nobody's commits have been acknowledged since, so what its record claims is true.
        return WriteRecord(replace(record, term=view.lease.term), record)
    return next_step(record, setting, wanted_setting(snapshot, spec), spec.options.sync_mode)


def open_writes(snapshot: Snapshot, spec: Spec) -> OpenWrites | None:
    """Writes are accepted after the announcement and the first sync record of the term.

    It is the last step into office, planned together with the others; it looks for itself whether the
    steps before it have been done.
    """
    closed = snapshot.database.read_only or snapshot.database.role is Role.STANDBY
    return OpenWrites(view_of(snapshot).lease.term) if closed else None


def keep_slots(snapshot: Snapshot, spec: Spec) -> KeepSlots | None:
    """Every other member finds its slot here, whoever leads next."""
    wanted = frozenset(view_of(snapshot).members) - {snapshot.me}
    running = snapshot.database.role in (Role.PRIMARY, Role.STANDBY)
    return KeepSlots(wanted) if running and snapshot.database.slots != wanted else None


def follow(snapshot: Snapshot, spec: Spec) -> Follow | None:
    """Stream from the announced leader of the present term; mend it when that does not work."""
    view = view_of(snapshot)
    announcement = view.announcement
    if announcement is None or announcement.term != view.lease.term or announcement.leader == snapshot.me:
        return None
    if snapshot.promise.round >= view.lease.modified:
        return None  # A stale read: the promise was made on a newer state of the lease.
    if awaits_answer(snapshot, spec):
        return None
    if _follows(snapshot, announcement, spec):
        return None
    return Follow(
        announcement.leader,
        announcement.host_ip,
        announcement.port,
        announcement.term,
        view.lease.modified,
        announcement.timeline,
        announcement.forks,
        announcement.terms,
        announcement.incarnation,
        announcement.healed,
    )


def _follows(snapshot: Snapshot, announcement: Announcement, spec: Spec) -> bool:
    database = snapshot.database
    attached = database.role is Role.STANDBY and database.upstream == announcement.leader
    return attached and (database.receiving or snapshot.not_receiving_s < spec.receiver_grace_s)


def stop_everything(snapshot: Snapshot, spec: Spec) -> StopEverything | None:
    """A removed node must not look like a manager."""
    stopped = snapshot.database.role is Role.STOPPED and not snapshot.running & spec.leader_services
    return None if stopped else StopEverything()
