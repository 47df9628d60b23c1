"""From Consul's keys to a ``ClusterView``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from orchestrator.clients.consul import keys
from orchestrator.clients.consul.codec import decode
from orchestrator.clients.consul.connection import ABSENT, Pair
from orchestrator.clients.consul.lease import lease_of
from orchestrator.model.files import FilesRecord, FilesReport
from orchestrator.model.minority import Claim
from orchestrator.model.snapshot import (
    Announcement,
    ClusterView,
    Forced,
    Member,
    NodeStatus,
    Report,
    Switchover,
    SyncRecord,
)

T = TypeVar("T")
Pairs = Mapping[str, Pair]


KINDS = (
    *(SyncRecord, Announcement, Member, Report, Claim, int, NodeStatus, Switchover, Forced),
    *(FilesRecord, FilesReport),
)
"""Whatever is read below."""


def build(pairs: Pairs) -> ClusterView:
    """What the keys say; health and durations are for others to fill in. Raises ``ConsulUnavailable``."""
    return ClusterView(
        lease=lease_of(pairs.get(keys.LEASE, ABSENT)),
        record=_one(SyncRecord, pairs, keys.SYNC),
        announcement=_one(Announcement, pairs, keys.ANNOUNCEMENT),
        members=_each(Member, pairs, keys.MEMBERS),
        removed=frozenset(name for name, _ in _below(pairs, keys.REMOVED)),
        reports=_each(Report, pairs, keys.REPORTS),
        claims=_each(Claim, pairs, keys.CLAIMS),
        suspicions=_each(int, pairs, keys.SUSPICIONS),
        statuses=_each(NodeStatus, pairs, keys.STATUSES),
        switchover=_one(Switchover, pairs, keys.SWITCHOVER),
        paused=keys.PAUSE in pairs,
        forced=_one(Forced, pairs, keys.FORCED),
        files=_one(FilesRecord, pairs, keys.FILES),
        file_reports=_each(FilesReport, pairs, keys.FILE_REPORTS),
    )


def _one(kind: type[T], pairs: Pairs, key: str) -> T | None:
    return decode(kind, pairs[key].value, key) if key in pairs else None


def _each(kind: type[T], pairs: Pairs, prefix: str) -> dict[str, T]:
    return {name: decode(kind, pair.value, pair.key) for name, pair in _below(pairs, prefix)}


def _below(pairs: Pairs, prefix: str) -> Iterator[tuple[str, Pair]]:
    return ((key.removeprefix(prefix), pair) for key, pair in pairs.items() if key.startswith(prefix))
