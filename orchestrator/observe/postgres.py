"""Judge the local database: is it what it should be here and now?"""

from __future__ import annotations

from orchestrator.model.snapshot import ClusterView, Database, Role


def is_well(database: Database, view: ClusterView | None, *, leads: bool) -> bool:
    """Whether the ``database`` check passes.

    It listens and answers, and it follows the right leader, or is the primary on the leader. While
    nobody leads it only has to answer, so that it can take part in the election.
    """
    if database.role not in (Role.PRIMARY, Role.STANDBY):
        return False
    if view is None or view.lease.free:
        return True
    announcement = view.announcement
    if announcement is None or announcement.term != view.lease.term:
        return True
    if leads:
        return database.role is Role.PRIMARY
    return database.role is Role.STANDBY and database.upstream == announcement.leader and database.receiving
