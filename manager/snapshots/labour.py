"""Who works on what: the executions of snapshots, and the processes behind them.

Each process holds a lock (flock) on a file with the execution's id, from before the execution can be seen
until after its end has been written down. So an execution that is active, and whose lock nobody on this
machine holds, has failed: its process was killed, or it belonged to an earlier leader.
"""

from __future__ import annotations

import fcntl
import logging
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from manager import events, executing
from manager.errors import ExistingRunningExecution
from manager.events import Line
from manager.files import Folders
from manager.files.works import locked, tidy
from manager.models import ACTIVE_STATUSES, DEFAULT_VISIBILITY, Execution, Snapshot
from manager.slots import WriteSlot
from manager.storage import Storage
from manager.tenancy import Scope

log = logging.getLogger(__name__)

CREATION, RESTORATION = "create_snapshot", "restore_snapshot"
QUEUED, STARTED, FAILED, DONE = "queued", "started", "failed", "terminated"
CREATING = "creating"
UNFINISHED = (*ACTIVE_STATUSES, QUEUED)

DIED = "The process that worked on it has ended before it was done. Nothing of it was kept."


def lock_of(folders: Folders, execution_id: str) -> Path:
    """The file whose lock tells that somebody works on the execution."""
    return folders.uploads / f"execution-{execution_id}"


def claim(folders: Folders, execution_id: str) -> int:
    """The locked file's descriptor, for the process that will work on it. Raises ``OSError``."""
    folders.make()
    return locked(lock_of(folders, execution_id))


def is_worked_on(folders: Folders, execution_id: str) -> bool:
    """Whether a process of this machine lives that works on it."""
    try:
        with lock_of(folders, execution_id).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done. ``queue``: wait for other executions, rather than be refused."""

    workflow_id: str
    snapshot_id: str
    options: dict[str, Any]
    queue: bool = False


def begin(session: Session, scope: Scope, order: Order, execution_id: str) -> Execution:
    """The row of a new execution, started unless it waits. Raises ``ExistingRunningExecution``."""
    execution = Execution(
        id=execution_id,
        tenant_id=scope.tenant_id,
        creator_id=scope.caller.user_id,
        visibility=DEFAULT_VISIBILITY,
        workflow_id=order.workflow_id,
        status=QUEUED,
        parameters={"snapshot_id": order.snapshot_id, **order.options},
        is_system_workflow=True,
        queue=order.queue,
    )
    session.add(execution)
    session.flush()
    rivals = _rivals(session, execution)
    if rivals and not order.queue:
        raise ExistingRunningExecution(
            "You cannot start a system-wide execution if there are other executions running. "
            f"Currently running executions: {', '.join(rivals)}"
        )
    if not rivals:
        _start(session, execution)
    return execution


def new_id() -> str:
    """An execution's."""
    return str(uuid.uuid4())


def _rivals(session: Session, execution: Execution) -> list[str]:
    """Those that run, or wait for longer. It stays so until the transaction's end."""
    executing.be_alone(session)
    waiting = (Execution.status == QUEUED) & Execution.is_system_workflow & (Execution.pk < execution.pk)
    others = select(Execution.id).where(
        Execution.pk != execution.pk, Execution.status.in_(ACTIVE_STATUSES) | waiting
    )
    return list(session.scalars(others.order_by(Execution.pk).limit(executing.NAMED)))


def _start(session: Session, execution: Execution) -> None:
    execution.status, execution.started_at = STARTED, func.now()
    session.flush()
    events.write(session, execution, events.started(execution))


class Progress:
    """Writes down how far an execution is. Everything raises ``Unavailable`` and ``OutcomeUnknown``."""

    def __init__(self, storage: Storage, execution_id: str) -> None:
        self._storage = storage
        self.execution_id = execution_id

    def try_to_start(self) -> bool:
        """Whether a queued execution could be started, or was already."""
        with self._storage.writing(WriteSlot()) as session:
            execution = find(session, self.execution_id)
            if execution.status == QUEUED and not _rivals(session, execution):
                _start(session, execution)
            return execution.status != QUEUED

    def say(self, message: str, level: str = "info") -> None:
        """A log line."""
        with self._storage.writing(WriteSlot()) as session:
            events.write(session, find(session, self.execution_id), Line(message, level=level))

    def fail(self, error: str) -> None:
        """It has failed, and the snapshot that it was to make as well."""
        with self._storage.writing(WriteSlot()) as session:
            fail(session, find(session, self.execution_id), error)


def find(session: Session, execution_id: str) -> Execution:
    """By its id alone: it was made here, at random. The row is locked."""
    found = select(Execution).where(Execution.id == execution_id, Execution.is_system_workflow)
    return session.scalars(found.with_for_update(of=Execution)).unique().one()


def finish(session: Session, execution: Execution) -> None:
    """It has been done: in the transaction that does it."""
    execution.status, execution.ended_at = DONE, func.now()
    session.flush()
    events.write(session, execution, events.succeeded(execution))


def fail(session: Session, execution: Execution, error: str) -> None:
    """Write down that it has failed; nothing happens when it has ended already."""
    if execution.status not in UNFINISHED:
        return
    execution.status, execution.error, execution.ended_at = FAILED, error, func.now()
    snapshot = snapshot_of(session, execution)
    if snapshot is not None and snapshot.status == CREATING:
        snapshot.status, snapshot.error = FAILED, error
    session.flush()
    events.write(session, execution, events.failed(execution, error))


def snapshot_of(session: Session, execution: Execution) -> Snapshot | None:
    """The snapshot that an execution makes or restores; None when it is gone. The row is locked."""
    return session.scalar(
        select(Snapshot)
        .where(Snapshot.tenant_id == execution.tenant_id, Snapshot.id == execution.parameters["snapshot_id"])
        .with_for_update(of=Snapshot)
    )


def bury(storage: Storage, folders: Folders) -> None:
    """Write down that those executions have failed that nobody works on, and tidy up behind them.

    Whoever leads calls this from time to time. Raises ``Unavailable`` and ``OutcomeUnknown``.
    """
    unfinished = select(Execution.id).where(
        Execution.status.in_(UNFINISHED),
        Execution.is_system_workflow,
        Execution.workflow_id.in_((CREATION, RESTORATION)),
    )
    with storage.reading() as session:
        found = list(session.scalars(unfinished))
    for execution_id in found:
        if is_worked_on(folders, execution_id):
            continue
        with storage.writing(WriteSlot()) as session:
            # Whoever ended it in between did so before giving up the lock.
            fail(session, find(session, execution_id), DIED)
        log.warning("Execution %s has failed: nobody works on it any more.", execution_id)
        tidy(folders)
