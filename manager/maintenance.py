"""The maintenance mode: a time in which nothing changes, as for a snapshot before an upgrade.

It is *activating* until the executions that run have ended: nothing new is started then, but they may write.
When it is *activated*, nobody may. Snapshots, the cluster and the mode itself are always open to whoever has
the right to use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from manager.errors import InMaintenance
from manager.listing import timestamp
from manager.models import ACTIVE_STATUSES, Execution, Maintenance

LOCKS = 2
"""The class of the advisory lock: shared by who starts something, exclusive for who switches."""

DEACTIVATED, ACTIVATING, ACTIVATED = "deactivated", "activating", "activated"


@dataclass(frozen=True, slots=True)
class State:
    """What a client is told. ``remaining``: the executions that are waited for."""

    status: str
    row: Maintenance | None = None
    remaining: Sequence[Execution] = ()

    @property
    def is_unsettled(self) -> bool:
        """Whether it was not written down yet that it is activated."""
        return self.row is not None and self.row.status != self.status

    @property
    def answer(self) -> dict[str, Any]:
        """As clients read it."""
        row = self.row
        return {
            "status": self.status,
            "activated_at": timestamp(row.activated_at) or "" if row else "",
            "activation_requested_at": timestamp(row.activation_requested_at) if row else "",
            "remaining_executions": [_shape(execution) for execution in self.remaining] or None,
            "requested_by": row.requested_by if row else "",
        }


def _shape(execution: Execution) -> dict[str, Any]:
    names = ("id", "status", "deployment_id", "workflow_id")
    return {name: getattr(execution, name) for name in names}


def look(session: Session) -> State:
    """The state at this moment. What was activating is activated as soon as nothing runs any more."""
    row = session.get(Maintenance, 1)
    if row is None:
        return State(DEACTIVATED)
    if row.status == ACTIVATED:
        return State(ACTIVATED, row)
    remaining = select(Execution).where(Execution.status.in_(ACTIVE_STATUSES)).order_by(Execution.pk)
    found = session.scalars(remaining).all()
    return State(ACTIVATING if found else ACTIVATED, row, found)


def settle(session: Session, state: State) -> State:
    """Write down that the last execution has ended, and when that was seen."""
    if state.row is not None and state.is_unsettled:
        state.row.status, state.row.activated_at = ACTIVATED, func.now()
        session.flush()
    return state


def activate(session: Session, username: str) -> State | None:
    """From now on nothing starts. None: it was so already."""
    _lock(session, "pg_advisory_xact_lock")
    if session.get(Maintenance, 1) is not None:
        return None
    session.add(Maintenance(id=1, status=ACTIVATING, requested_by=username))
    session.flush()
    return settle(session, look(session))


def deactivate(session: Session) -> bool:
    """Everything is open again. False: it was so already."""
    _lock(session, "pg_advisory_xact_lock")
    row = session.get(Maintenance, 1)
    if row is not None:
        session.delete(row)
        session.flush()
    return row is not None


def check_may_start(session: Session) -> None:
    """Raise ``InMaintenance`` where nothing may be started. It stays so until this transaction's end."""
    _lock(session, "pg_advisory_xact_lock_shared")
    if session.get(Maintenance, 1) is not None:
        raise InMaintenance("Your request was rejected since the manager is in maintenance mode")


def _lock(session: Session, function: str) -> None:
    session.execute(text(f"SELECT {function}(:class, 0)"), {"class": LOCKS})
