"""Which executions may run beside which: one place for REST, which begins them, and the engine.

An execution on a deployment is alone there, unless it is forced. One that works on the manager itself, as a
snapshot does, is alone on the manager. Nothing begins in maintenance mode. Who may not begin yet can wait:
``release_waiting`` lets it go, the longest waiting first.

Whoever begins something holds the advisory lock of this module, shared, until its transaction ends, and has
locked the row of its deployment. Who wants to be alone, or lets others go, holds it exclusively. So two that
exclude each other never both find that they may begin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.orm import Session

from manager import maintenance
from manager.errors import ExistingRunningExecution, InMaintenance
from manager.models import ACTIVE_STATUSES, Execution
from manager.workflows.model import CHANNEL

LOCKS = 3
"""The class of the advisory lock (1: events, 2: maintenance, 4: engines)."""

NAMED = 10
"""How many of the executions that are in the way a refusal names."""

PENDING, QUEUED, SCHEDULED = "pending", "queued", "scheduled"

ACTIVE = Execution.status.in_(ACTIVE_STATUSES)
SYSTEM_WIDE = Execution.is_system_workflow.is_(True)


def enter(session: Session) -> None:
    """Take part in beginning executions, until the transaction ends. Raises ``InMaintenance``.

    This comes before any row of an execution is locked: who lets waiting ones go locks in that order.
    """
    maintenance.check_may_start(session)
    _lock(session, "pg_advisory_xact_lock_shared")


def be_alone(session: Session) -> None:
    """Keep all others from beginning anything, until the transaction ends."""
    _lock(session, "pg_advisory_xact_lock")


def _lock(session: Session, function: str) -> None:
    session.execute(text(f"SELECT {function}(:class, 0)"), {"class": LOCKS})


def wake(session: Session, execution_id: str = "") -> None:
    """Tell the engine, with the commit, that there is something for it to look at."""
    session.execute(select(func.pg_notify(CHANNEL, execution_id)))


def admit(session: Session, execution: Execution, *, waits: bool) -> str:
    """The status with which it begins: ``pending``, or ``queued`` if it rather waits than is refused.

    ``execution`` is in the database, its deployment is locked, and ``enter`` was called. Raises
    ``ExistingRunningExecution`` when others are in the way and it does not wait.
    """
    if system_wide := _others(session, execution, SYSTEM_WIDE, waits=waits):
        if waits:
            return QUEUED
        raise ExistingRunningExecution(
            "You cannot start an execution while a system-wide execution is running. "
            f"Currently running executions: {', '.join(system_wide)}"
        )
    if execution.force:
        return PENDING
    beside = Execution.deployment_pk == execution.deployment_pk
    if rivals := _others(session, execution, beside, waits=waits):
        if waits:
            return QUEUED
        raise ExistingRunningExecution(
            "The following executions are currently running for this deployment: "
            f'{", ".join(rivals)}. To execute this workflow anyway, pass "force=true" as a field of this '
            'request, or "queue=true" to wait for them'
        )
    return PENDING


def _others(session: Session, execution: Execution, which: ColumnElement[bool], *, waits: bool) -> list[str]:
    """Those that run; for one that is ready to wait also those that have been waiting for longer."""
    before = and_(Execution.status == QUEUED, Execution.pk < execution.pk)
    busy = or_(ACTIVE, before) if waits else ACTIVE
    others = select(Execution.id).where(busy, which, Execution.pk != execution.pk)
    return list(session.scalars(others.order_by(Execution.pk).limit(NAMED)))


@dataclass(frozen=True, slots=True)
class Waiting:
    """One that waits. ``force``: other executions on its deployment are not in its way."""

    pk: int
    deployment_pk: int | None
    force: bool


def may_go(waiting: Iterable[Waiting], busy: Collection[int | None], before: float) -> list[int]:
    """Those of ``waiting`` that may begin now, by ``pk``. ``waiting``: the longest waiting first.

    ``busy``: the deployments on which an execution runs. ``before``: the ``pk`` of one that works on the
    manager itself: those that came after it wait for it.
    """
    occupied = set(busy)
    going: list[int] = []
    for one in waiting:
        if one.pk > before or (one.deployment_pk in occupied and not one.force):
            continue
        going.append(one.pk)
        occupied.add(one.deployment_pk)
    return going


DUE = or_(
    Execution.status == QUEUED,
    and_(Execution.status == SCHEDULED, Execution.scheduled_for <= func.clock_timestamp()),
)
WAITING = (
    select(Execution.pk, Execution.deployment_pk, Execution.force)
    .where(DUE, Execution.is_system_workflow.is_(False))
    .order_by(Execution.pk)
)


def release_waiting(session: Session) -> int:
    """Let go what has waited long enough, in this transaction; how many that are.

    The engine calls this once a second, and when an execution has ended. It costs one statement while nothing
    waits.
    """
    if session.execute(WAITING.limit(1)).first() is None:
        return 0
    try:
        maintenance.check_may_start(session)
    except InMaintenance:
        return 0
    be_alone(session)
    waiting = [Waiting(*row) for row in session.execute(WAITING.with_for_update(skip_locked=True))]
    going = may_go(waiting, _busy(session), _first_system_wide(session))
    staying = {one.pk for one in waiting}.difference(going)
    _set(session, {PENDING: going, QUEUED: sorted(staying)})
    if going:
        wake(session)
    return len(going)


def _busy(session: Session) -> set[int | None]:
    return set(session.scalars(select(Execution.deployment_pk).where(ACTIVE).distinct()))


def _first_system_wide(session: Session) -> float:
    """Nobody passes one that runs; one that waits is passed by those that came before it."""
    own = select(Execution.pk, Execution.status).where(SYSTEM_WIDE, or_(ACTIVE, Execution.status == QUEUED))
    places = [pk if status == QUEUED else 0 for pk, status in session.execute(own)]
    return min(places, default=float("inf"))


def _set(session: Session, statuses: Mapping[str, Collection[int]]) -> None:
    for status, pks in statuses.items():
        changed = update(Execution).where(Execution.pk.in_(pks), Execution.status != status)
        session.execute(changed.values(status=status), execution_options={"synchronize_session": False})
