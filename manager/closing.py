"""What is closed while nothing may change."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy import select

from manager.dependencies import Caller, Database
from manager.errors import InMaintenance
from manager.maintenance import ACTIVATED, look
from manager.models import ACTIVE_STATUSES, Execution
from manager.snapshots.labour import RESTORATION

READING = frozenset({"GET", "HEAD", "OPTIONS"})

RESTORING = (
    select(Execution.pk)
    .where(
        Execution.workflow_id == RESTORATION,
        Execution.is_system_workflow,
        Execution.status.in_(ACTIVE_STATUSES),
    )
    .limit(1)
)


def refuse_writes(request: Request, _: Caller, storage: Database) -> None:
    """The dependency of all routes that are closed while the mode is activated. Raises ``InMaintenance``.

    They are closed as well while a snapshot is restored: what is acknowledged then would be replaced.
    """
    if request.method in READING:
        return
    with storage.reading() as session:
        if look(session).status == ACTIVATED:
            raise InMaintenance("Your request was rejected since the manager is in maintenance mode")
        if session.scalar(RESTORING) is not None:
            raise InMaintenance("Your request was rejected since a snapshot is being restored")
