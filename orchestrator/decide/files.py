"""The rules about the replicated files: replicas mirror them, the leader makes sure that it has them all.

What comes of these rules is carried out beside all other actions: it may take long, and nothing waits for it.
"""

from __future__ import annotations

import math

from orchestrator.decide.leadership import serves
from orchestrator.decide.situation import announced, view_of
from orchestrator.model.file_actions import GatherFiles, SweepFiles, SyncFiles
from orchestrator.model.files import FilesRecord
from orchestrator.model.snapshot import MembershipState, Role, Snapshot
from orchestrator.model.spec import Spec

CLIENTS_FIRST_S = 2.0


def sync_files(snapshot: Snapshot, spec: Spec) -> SyncFiles | None:
    """The leader has said that its files have changed, or it is time to compare everything again."""
    view, state = view_of(snapshot), snapshot.files
    record = _record_of_term(snapshot)
    if record is None or view.lease.holder is None or not announced(snapshot) or _just_failed(snapshot, spec):
        return None
    by_content = spec.files_check_s <= state.checked_s < math.inf
    compare = by_content or state.compared_s >= spec.files_compare_s
    if state.mirrored == record and not compare:
        return None
    return SyncFiles(view.lease.term, view.lease.holder, compare=compare, by_content=by_content)


def gather_files(snapshot: Snapshot, spec: Spec) -> GatherFiles | None:
    """Until a leader has all that its rows name, nobody may delete what it does not have.

    Its first moments in office belong to the clients that have waited for it.
    """
    record = _record_of_term(snapshot)
    complete = record is not None and record.complete
    if view_of(snapshot).lease_seen_s < CLIENTS_FIRST_S:
        return None
    if complete or not serves(snapshot) or _just_failed(snapshot, spec):
        return None
    return GatherFiles(view_of(snapshot).lease.term)


def sweep_files(snapshot: Snapshot, spec: Spec) -> SweepFiles | None:
    """An upload that was killed leaves files that no row names."""
    record = _record_of_term(snapshot)
    ready = record is not None and record.complete and serves(snapshot)
    if not ready or snapshot.files.swept_s < spec.files_sweep_s or _just_failed(snapshot, spec):
        return None
    return SweepFiles(view_of(snapshot).lease.term)


def sweep_alone(snapshot: Snapshot, spec: Spec) -> SweepFiles | None:
    """A manager that belongs to no cluster looks after its own files."""
    alone = snapshot.membership is MembershipState.ALONE and snapshot.database.role is Role.PRIMARY
    if not alone or snapshot.files.swept_s < spec.files_sweep_s or _just_failed(snapshot, spec):
        return None
    return SweepFiles(None)


def _record_of_term(snapshot: Snapshot) -> FilesRecord | None:
    """The files record, if it is the present leader's."""
    view = view_of(snapshot)
    return view.files if view.files is not None and view.files.term == view.lease.term else None


def _just_failed(snapshot: Snapshot, spec: Spec) -> bool:
    return snapshot.files.failed_s < spec.files_retry_s
