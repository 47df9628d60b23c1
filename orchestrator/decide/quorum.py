"""The sync record and PostgreSQL's setting: which single step brings both to what is wanted.

The record claims: every acknowledged commit is on at least ``k`` of its members. PostgreSQL's setting
makes it so. The claim must be implied by the setting in force and by the one to come, so the two are
changed one after the other, in the order of the table in ``safety.md``. The idea of a resolver without
input or output that yields one transition at a time is Patroni's (``quorum.py``).
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model.action import ConfirmRecord, SetStandbys, WriteRecord
from orchestrator.model.snapshot import SyncRecord, SyncSetting

Step = WriteRecord | SetStandbys | ConfirmRecord


def wanted_k(cluster_size: int, members: int) -> int:
    """How many standbys a commit waits for: together with the leader, a majority of the cluster.

    With fewer healthy members than that, all of them.
    """
    return min(cluster_size // 2, members)


def next_step(record: SyncRecord, setting: SyncSetting, wanted: SyncSetting, mode: str) -> Step | None:
    """The one change that is due, or None when record and setting are as wanted.

    ``record`` is this leader's own, of its present term, and ``setting`` implies it.
    """
    target = replace(record, k=wanted.k, members=wanted.members, mode=mode)
    if mode == "async":
        return _towards_async(record, setting, target)
    if record.mode == "async":
        return _strengthen(record, target, setting, wanted)
    if record.k == 0 and wanted.k > 0:
        return _strengthen(record, target, setting, wanted)
    if record.k > wanted.k:
        members = wanted.members if wanted.k == 0 else record.members
        return WriteRecord(replace(record, k=wanted.k, members=members), record)
    if not wanted.members <= record.members:
        return WriteRecord(replace(record, members=record.members | wanted.members), record)
    return _strengthen(record, target, setting, wanted) if (record, setting) != (target, wanted) else None


def _strengthen(record: SyncRecord, target: SyncRecord, setting: SyncSetting, wanted: SyncSetting) -> Step:
    """PostgreSQL first, then the record, once it is true of the past as well."""
    if setting != wanted:
        return SetStandbys(target.term, wanted, record)
    return ConfirmRecord(target)


def _towards_async(record: SyncRecord, setting: SyncSetting, target: SyncRecord) -> Step | None:
    nobody = SyncSetting()
    if record.mode != "async":
        return WriteRecord(replace(target, k=0, members=frozenset()), record)
    return SetStandbys(record.term, nobody, record) if setting != nobody else None
