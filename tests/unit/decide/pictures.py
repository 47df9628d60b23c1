"""Small pictures of a cluster of three, to be changed in the one point that a test is about.

``n1`` leads term 5, and its record names ``n2`` and ``n3``. The lease was last changed at index 50.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.decide.election import CANDIDATE_CHECKS
from orchestrator.model.files import FilesRecord, FilesState
from orchestrator.model.lsn import Lsn, Position
from orchestrator.model.snapshot import (
    SESSION_CHECKS,
    Announcement,
    ClusterView,
    Database,
    Lease,
    Member,
    MembershipState,
    Promise,
    Report,
    Role,
    Snapshot,
    Stream,
    SyncRecord,
    SyncSetting,
)
from orchestrator.model.spec import Spec

NAMES = frozenset({"n1", "n2", "n3"})
SPEC = Spec("n1")
TERM, INDEX = 5, 50
RECORD = SyncRecord(TERM, "n1", 1, frozenset({"n2", "n3"}))
HELD = Lease("n1", "s1", TERM, INDEX)
FILES = FilesRecord(TERM, 3, complete=True)
FREE = Lease(None, None, TERM, INDEX)


def at(lsn: int, timeline: int = 1, term: int = TERM) -> Position:
    return Position(timeline, Lsn(lsn), term)


def view(**changes: Any) -> ClusterView:
    """The cluster while ``n1`` leads and all is well."""
    return replace(
        ClusterView(
            HELD,
            lease_seen_s=60.0,
            record=RECORD,
            announcement=Announcement(TERM, "n1", "10.0.0.1", 5432, 1, (), ((TERM, 1),)),
            members={name: Member(name, f"10.0.0.{name[1:]}") for name in sorted(NAMES)},
            health=dict.fromkeys(NAMES, CANDIDATE_CHECKS | SESSION_CHECKS),
            files=FILES,
        ),
        **changes,
    )


def primary(**changes: Any) -> Database:
    """The leader's database, with two replicas that stream."""
    return replace(
        Database(
            Role.PRIMARY,
            at(100),
            setting=SyncSetting(1, frozenset({"n2", "n3"})),
            streams={name: Stream(name, streaming=True, flushed=Lsn(100)) for name in ("n2", "n3")},
            slots=frozenset({"n2", "n3"}),
        ),
        **changes,
    )


def standby(**changes: Any) -> Database:
    """The database of ``n2`` while it follows ``n1``."""
    slots = frozenset({"n1", "n3"})
    return replace(Database(Role.STANDBY, at(100), upstream="n1", receiving=True, slots=slots), **changes)


def detached(**changes: Any) -> Database:
    return standby(**{"upstream": None, "receiving": False, **changes})


def leader(*, cluster: Any = None, **changes: Any) -> Snapshot:
    """What ``n1`` sees while it leads; ``cluster``: changes of the view."""
    return replace(
        Snapshot(
            me="n1",
            taken_at_s=1000.0,
            membership=MembershipState.MEMBER,
            cluster=view(**(cluster or {})),
            database=primary(),
            promise=Promise(round=40),
            running=SPEC.leader_services,
            session="s1",
            valid_until_s=1002.5,
            files=FilesState(FILES, compared_s=1.0, checked_s=1.0, swept_s=1.0),
            resumed_term=TERM,
        ),
        **changes,
    )


def replica(*, cluster: Any = None, **changes: Any) -> Snapshot:
    """What ``n2`` sees while it follows."""
    mine = {"me": "n2", "database": standby(), "running": frozenset(), "session": None, "valid_until_s": 0.0}
    return leader(cluster=cluster, **{**mine, **changes})


def voter(*, cluster: Any = None, **changes: Any) -> Snapshot:
    """What ``n2`` sees when the lease is free, and it has promised."""
    mine = {"database": detached(), "promise": Promise(round=INDEX)}
    return replica(cluster={"lease": FREE, **(cluster or {})}, **{**mine, **changes})


def report(node: str, position: Position, **changes: Any) -> Report:
    return replace(Report(node, INDEX, position, primary=False, eligible=True), **changes)


def reports(*given: Report) -> dict[str, Report]:
    return {one.node: one for one in given}
