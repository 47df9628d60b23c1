"""What the engine reads and writes, many rows at a time.

Everything that one turn of the engine has decided is one ``Batch``, and is stored by one transaction.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session

from manager import events
from manager.events import Line
from manager.models import Deployment, Execution, Operation, TasksGraph
from manager.operations.message import Answer
from manager.workflows import strays
from manager.workflows.model import CHANNEL, FROM_ENGINE, GraphState, OperationState, Task, TaskType
from manager.workflows.statements import ADD_TASKS, CLAIM, MARK_SENT, PROGRESS, SET_STATES, UPDATE_TASKS
from manager.workflows.updating import update_instances

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the engine knows of an execution that it works on."""

    pk: int
    id: str
    tenant_id: int
    deployment_pk: int | None
    deployment_id: str | None
    blueprint_id: str | None
    workflow_id: str
    status: str
    parameters: Json
    is_dry_run: bool
    wait_after_fail: int
    resume: bool
    resumable: bool | None
    timeout_s: float | None
    started_at: datetime | None
    workflow: Json | None
    """Where its function is, by the plan of its deployment."""


@dataclass(frozen=True)
class Graph:
    """A graph as it is stored. ``rows``: of its operations; clients can write some as well."""

    pk: int
    execution_pk: int
    name: str
    state: str
    rows: Sequence[Sequence[Any]]

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What the rows say. Raises ``ValueError`` and ``TypeError`` for what the engine never wrote."""
        return tuple(map(_task, self.rows))


@dataclass(frozen=True, slots=True)
class NewGraph:
    """A graph that was built, and is to be carried out."""

    execution: Facts
    name: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ends."""

    execution: Facts
    status: str
    error: str | None = None


@dataclass(slots=True)
class Batch:
    """What is to be stored together; by keys of executions, where it is about them.

    ``resumable``: whether it may be called again. ``tasks``: as they are now. ``effects``: tasks that the
    engine does itself, in the order in which they may be done. ``progress``: how many operations it has, and
    has finished. ``strays``: answers about tasks that this engine does not carry out (yet). ``sent``: ids of
    those whose messages are out.
    """

    resumable: dict[int, bool] = field(default_factory=dict)
    new_graphs: list[NewGraph] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    effects: list[tuple[Facts, Task]] = field(default_factory=list)
    lines: list[tuple[Facts, Line]] = field(default_factory=list)
    graphs: dict[int, GraphState] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    progress: dict[int, tuple[int, int]] = field(default_factory=dict)
    strays: list[Answer] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        parts = (
            self.resumable,
            self.new_graphs,
            self.tasks,
            self.effects,
            self.lines,
            self.graphs,
            self.endings,
        )
        return any((*parts, self.progress, self.strays, self.sent))

    @classmethod
    def joined(cls, parts: Iterable[Batch]) -> Batch:
        """All of them as one."""
        whole = cls()
        for part in parts:
            for name in cls.__dataclass_fields__:
                mine = getattr(whole, name)
                add = mine.update if isinstance(mine, dict) else mine.extend
                add(getattr(part, name))
        return whole


FACTS = (
    *(getattr(Execution, name) for name in list(Facts.__dataclass_fields__)[:-1]),
    Deployment.workflows.op("->")(Execution.workflow_id),
)


def claim(session: Session, engine: str, term: int | None, limit: int) -> int:
    """Make executions that nobody works on this engine's; what was pending is started. Tells how many."""
    return len(session.scalars(CLAIM, {"engine": engine, "term": term, "limit": limit}).all())


def read(session: Session, pks: Sequence[int]) -> list[Facts]:
    """What is known of executions, in the order in which they were asked for."""
    chosen = select(*FACTS).outerjoin(Deployment, Deployment.pk == Execution.deployment_pk)
    found = session.execute(chosen.where(Execution.pk.in_(pks)).order_by(Execution.pk))
    return [Facts(*row) for row in found]


def statuses(session: Session, engine: str) -> dict[int, str]:
    """The status of each execution of this engine that is not over."""
    mine = select(Execution.pk, Execution.status).where(
        Execution.engine == engine, Execution.ended_at.is_(None)
    )
    return {row.pk: row.status for row in session.execute(mine)}


def save_graph(session: Session, execution_pk: int, name: str, tasks: Iterable[Task]) -> int:
    """Store a graph that is to be carried out; returns its key. Raises ``IntegrityError``: there is one."""
    graph = TasksGraph(id=str(uuid.uuid4()), execution_pk=execution_pk, name=name, state=GraphState.RUNNING)
    session.add(graph)
    session.flush()
    rows = [
        {
            "id": task.id,
            "name": task.name,
            "type": task.type,
            "parameters": dict(task.parameters),
            "dependencies": sorted(task.dependencies),
            "state": task.state,
        }
        for task in tasks
    ]
    session.execute(ADD_TASKS, {"graph": graph.pk, "tasks": json.dumps(rows)})
    return graph.pk


def _save_new(session: Session, new: NewGraph, changed: dict[str, Task]) -> int:
    """A new graph with what has begun already: each row is written once."""
    tasks = [changed.pop(task.id, task) for task in new.tasks]
    return save_graph(session, new.execution.pk, new.name, tasks)


def find_graph(session: Session, execution_pk: int, name: str) -> tuple[Task, ...] | None:
    """The tasks of an execution's graph; None when there is none of that name."""
    found = _graphs(session, TasksGraph.execution_pk == execution_pk, TasksGraph.name == name)
    return found[0].tasks if found else None


def graphs_of(session: Session, execution_pks: Sequence[int]) -> dict[int, list[Graph]]:
    """All graphs of executions, in the order in which they were made."""
    found: dict[int, list[Graph]] = {pk: [] for pk in execution_pks}
    for graph in _graphs(session, TasksGraph.execution_pk.in_(execution_pks)) if execution_pks else ():
        found[graph.execution_pk].append(graph)
    return found


def running_graphs(session: Session, execution_pks: Sequence[int], known: Iterable[int]) -> list[Graph]:
    """The graphs of executions that are to be carried out, and are not known yet."""
    if not execution_pks:
        return []
    return _graphs(
        session,
        TasksGraph.execution_pk.in_(execution_pks),
        TasksGraph.state == GraphState.RUNNING,
        TasksGraph.pk.notin_(list(known)),
    )


def _graphs(session: Session, *conditions: ColumnElement[bool]) -> list[Graph]:
    columns = (TasksGraph.pk, TasksGraph.execution_pk, TasksGraph.name, TasksGraph.state)
    found = session.execute(select(*columns).where(*conditions).order_by(TasksGraph.pk)).all()
    rows = _rows(session, [row.pk for row in found])
    return [Graph(row.pk, row.execution_pk, row.name, row.state, rows[row.pk]) for row in found]


def _rows(session: Session, graph_pks: Sequence[int]) -> dict[int, list[Sequence[Any]]]:
    columns = (
        *(Operation.id, Operation.name, Operation.type, Operation.parameters, Operation.dependencies),
        *(Operation.state, Operation.retries, Operation.resumable, Operation.result, Operation.error),
    )
    chosen = Operation.tasks_graph_pk.in_(graph_pks)
    found: dict[int, list[Sequence[Any]]] = {pk: [] for pk in graph_pks}
    for pk, *row in session.execute(
        select(Operation.tasks_graph_pk, *columns).where(chosen).order_by(Operation.pk)
    ):
        found[pk].append(row)
    return found


def _task(row: Sequence[Any]) -> Task:
    identifier, name, kind, parameters, dependencies, state, retries, resumable, result, error = row
    return Task(
        id=identifier,
        name=name,
        type=TaskType(kind),
        parameters=parameters,
        dependencies=frozenset(dependencies),
        state=OperationState(state),
        retries=retries,
        resumable=resumable,
        result=result,
        error=error,
    )


def write(session: Session, batch: Batch, engine: str) -> list[int]:
    """Store all of it; returns the keys of the new graphs."""
    for pk, resumable in batch.resumable.items():
        session.execute(update(Execution).where(Execution.pk == pk).values(resumable=resumable))
    # The batch stays as it is: what the database did not take is given to it once more.
    changed = dict(batch.tasks)
    made = [_save_new(session, new, changed) for new in batch.new_graphs]
    late = [row for answer in batch.strays for row in strays.keep(session, answer)]
    if batch.sent:
        session.execute(MARK_SENT, {"ids": batch.sent})
    if changed:
        rows = [
            {"id": t.id, "state": t.state, "retries": t.retries, "result": t.result, "error": t.error}
            for t in changed.values()
        ]
        session.execute(UPDATE_TASKS, {"tasks": json.dumps(rows)})
    _do(session, batch.effects)
    for pk, state in batch.graphs.items():
        session.execute(update(TasksGraph).where(TasksGraph.pk == pk).values(state=state))
    if batch.progress:
        pks, counts = list(batch.progress), list(batch.progress.values())
        given = {
            "pks": pks,
            "totals": [total for total, _ in counts],
            "finished": [done for _, done in counts],
        }
        session.execute(PROGRESS, given)
    events.write_rows(session, [*late, *(line.row(facts) for facts, line in batch.lines)])
    for ending in batch.endings:
        _end(session, ending, engine)
    if batch.graphs or batch.endings:
        session.execute(text(f"NOTIFY {CHANNEL}, '{FROM_ENGINE}'"))
    return made


def _end(session: Session, ending: Ending, engine: str) -> None:
    values = {"status": ending.status, "error": ending.error, "ended_at": func.now(), "engine": None}
    mine = update(Execution).where(Execution.pk == ending.execution.pk, Execution.engine == engine)
    session.execute(mine.values(values))


def _do(session: Session, effects: Sequence[tuple[Facts, Task]]) -> None:
    """Do what the engine does itself. Of several states of one instance the last one counts."""
    states = {
        (facts.tenant_id, task.parameters["node_instance_id"]): task.parameters["state"]
        for facts, task in effects
        if task.type is TaskType.SET_STATE
    }
    if states:
        tenants, ids = zip(*states, strict=True)
        given = {"ids": list(ids), "tenants": list(tenants), "states": list(states.values())}
        session.execute(SET_STATES, given)
    for facts, task in effects:
        if task.type in EFFECTS:
            EFFECTS[task.type](session, facts, task.parameters)


def _update_instances(session: Session, facts: Facts, parameters: Mapping[str, Any]) -> None:
    if facts.deployment_pk is not None:
        update_instances(session, facts.deployment_pk, facts.tenant_id, dict(parameters))


EFFECTS: Mapping[TaskType, Callable[[Session, Facts, Mapping[str, Any]], None]] = {
    TaskType.UPDATE_INSTANCES: _update_instances,
}
"""What the engine does itself, one by one. States are set all together; events are lines of the batch."""
