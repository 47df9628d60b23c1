"""The graphs of one execution in the database, as the process of a blueprint's own workflow uses them."""

from __future__ import annotations

import logging
import select as readiness
import time
from collections.abc import Callable
from typing import Any

import psycopg2
from cloudify.workflows import api
from sqlalchemy import Engine, exc, select, text, update
from sqlalchemy.orm import Session

from manager.errors import Unavailable
from manager.models import Execution, Operation, TasksGraph
from manager.slots import WriteSlot
from manager.storage import Storage
from manager.workflows import store
from manager.workflows.model import CHANNEL, GraphState, OperationState, Task, TaskType
from manager.workflows.patience import patiently

log = logging.getLogger(__name__)

Change = Callable[[Session, int], object]
"""Within a transaction, for the key of the execution."""

STARTED = "started"


class NotOurs(Exception):
    """The execution is worked on by another engine, or by none."""


class StoredGraphs:
    """See ``blocking.Graphs``. While the database does not answer it is waited for: the engine ends us."""

    def __init__(self, storage: Storage, database: Engine, execution_id: str, engine: str | None) -> None:
        self._storage = storage
        self._execution_id = execution_id
        self._engine = engine
        self._bell = Bell(database)

    def save(self, name: str, tasks: tuple[Task, ...]) -> None:
        """Store a graph. Raises ``NotOurs``, and ``api.ExecutionCancelled`` when nothing is to be begun."""
        self._write(name, lambda session, pk: store.save_graph(session, pk, name, tasks))

    def revive(self, name: str) -> None:
        """Let the engine go on with a graph, unless it has succeeded. Raises as ``save``."""
        unfinished = (TasksGraph.name == name, TasksGraph.state != GraphState.SUCCEEDED)
        go_on = update(TasksGraph).where(*unfinished).values(state=GraphState.RUNNING)
        self._write(name, lambda session, pk: session.execute(go_on.where(TasksGraph.execution_pk == pk)))

    def _write(self, name: str, change: Change) -> None:
        try:
            patiently(lambda: self._try_to_write(change))
        except exc.IntegrityError:
            log.info("The graph %s was stored by an attempt before this one, after all.", name)

    def _try_to_write(self, change: Change) -> None:
        mine = select(Execution.pk, Execution.status, Execution.engine).where(
            Execution.id == self._execution_id
        )
        with self._storage.writing(WriteSlot()) as session:
            execution = session.execute(mine.with_for_update(read=True)).one()
            if execution.engine != self._engine:
                raise NotOurs(f"Execution {self._execution_id} is worked on by another engine.")
            if execution.status != STARTED:
                raise api.ExecutionCancelled
            change(session, execution.pk)
            notify = text("SELECT pg_notify(:channel, :id)")
            session.execute(notify, {"channel": CHANNEL, "id": self._execution_id})

    def state(self, name: str) -> tuple[GraphState, str | None]:
        """How far a graph is, and, when it has failed, why. ``RUNNING`` while nobody can know."""
        found = (
            select(TasksGraph.pk, TasksGraph.state)
            .join(Execution, TasksGraph.execution_pk == Execution.pk)
            .where(Execution.id == self._execution_id, TasksGraph.name == name)
        )
        failed = select(Operation.name, Operation.error).where(
            Operation.state == OperationState.FAILED, Operation.type == TaskType.REMOTE
        )
        try:
            with self._storage.reading() as session:
                graph = session.execute(found).one()
                state = GraphState(graph.state)
                if state is not GraphState.FAILED:
                    return state, None
                chosen = failed.where(Operation.tasks_graph_pk == graph.pk).order_by(Operation.ended_at)
                reasons = [f"Task failed: {row.name}: {row.error}" for row in session.execute(chosen)]
                return state, "\n".join(reasons) or None
        except Unavailable:
            return GraphState.RUNNING, None

    def result(self, task_id: str) -> Any:
        """What an operation has returned."""
        return patiently(lambda: self._result(task_id))

    def _result(self, task_id: str) -> Any:
        with self._storage.reading() as session:
            return session.scalar(select(Operation.result).where(Operation.id == task_id))

    def wait(self, timeout_s: float) -> None:
        """Until something may have changed."""
        self._bell.wait(timeout_s)


class Bell:
    """Rings when the engine says that graphs have changed. Deaf for a while when the connection breaks."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._connection: Any = None

    def wait(self, timeout_s: float) -> None:
        """Until it rings, or the time is over."""
        try:
            self._listen()
            driver = self._connection.connection.driver_connection
            if not driver.notifies:
                readiness.select([driver], [], [], timeout_s)
            driver.poll()
            driver.notifies.clear()
        except (exc.SQLAlchemyError, OSError, psycopg2.Error) as error:
            log.warning("The engine cannot be heard: %s", error)
            self._connection = None
            time.sleep(timeout_s)

    def _listen(self) -> None:
        if self._connection is None:
            connection = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            self._connection = connection
