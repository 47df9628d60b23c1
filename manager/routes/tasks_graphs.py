"""The graphs of an execution's tasks: to be looked at, and for programs that keep graphs of their own."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import exc, select
from sqlalchemy.orm import Session

from manager import pages, shapes, tenancy
from manager.dependencies import Database, ListQuery, Slot
from manager.errors import Conflict, NotFound
from manager.listing import Kind, timestamp
from manager.models import ACTIVE_STATUSES, NAME_LENGTH, Execution, Operation, TasksGraph
from manager.routes.json_route import Body, Document, Name, Text, router
from manager.tenancy import InTenant, Scope
from manager.workflows.model import GraphState, OperationState, TaskType

tasks_graphs = router()

MAX_OPERATIONS = 10_000

Identifier = Annotated[Name, Field(max_length=NAME_LENGTH)]
Title = Annotated[Text, Field(max_length=1024)]

TABLE = shapes.table(
    TasksGraph,
    {**dict.fromkeys(("id", "execution_id", "name", "state"), Kind.TEXT), "created_at": Kind.TIME},
    {"execution_id": Execution.__table__.c.id},
    owned=Execution,
)


class Task(Body):
    """What every operation has. ``dependencies``: the ids of those that have to be done before."""

    name: Title
    type: TaskType
    parameters: Document = Field(default_factory=dict)
    dependencies: Annotated[list[Identifier], Field(default_factory=list, max_length=MAX_OPERATIONS)]
    state: OperationState = OperationState.PENDING


class NewTask(Task):
    """An operation of a new graph."""

    id: Identifier


class NewGraph(Body):
    """The body of ``POST /tasks_graphs/tasks_graphs``."""

    execution_id: Identifier
    name: Annotated[Text, Field(min_length=1, max_length=NAME_LENGTH)]
    operations: Annotated[list[NewTask], Field(max_length=MAX_OPERATIONS)] | None = None
    graph_id: Identifier | None = None
    created_at: datetime | None = None


class Change(Body):
    """The body of ``PATCH /tasks_graphs/ID``."""

    state: GraphState


def _shape(graph: TasksGraph) -> dict[str, Any]:
    return {
        "id": graph.id,
        "execution_id": graph.execution.id,
        "name": graph.name,
        "state": graph.state,
        "created_at": timestamp(graph.created_at),
        **shapes.owner(graph.execution),
    }


@tasks_graphs.get("/tasks_graphs")
def list_tasks_graphs(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """The graphs of all executions that the caller sees."""
    statement = (
        select(TasksGraph)
        .join(TasksGraph.execution)
        .where(scope.visible(Execution, all_tenants=query.all_tenants))
    )
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query)
        return query.answer(map(_shape, found), total)


@tasks_graphs.post("/tasks_graphs/tasks_graphs", status_code=201)
def create_tasks_graph(new: NewGraph, scope: InTenant, storage: Database, slot: Slot) -> dict[str, Any]:
    """Store a graph, with its operations if they are known already."""
    scope.must_execute()
    with storage.writing(slot) as session:
        execution = tenancy.find_own(session, scope, Execution, new.execution_id)
        graph = TasksGraph(id=new.graph_id or str(uuid.uuid4()), execution=execution, name=new.name)
        if new.created_at:
            graph.created_at = new.created_at
        session.add(graph)
        try:
            session.flush()
            session.add_all(Operation(**it.model_dump(), tasks_graph=graph) for it in new.operations or ())
            session.flush()
        except exc.IntegrityError as error:
            raise Conflict(
                f"Execution `{new.execution_id}` has a graph `{new.name}` already, or an id is taken"
            ) from error
        return _shape(graph)


@tasks_graphs.patch("/tasks_graphs/{identifier}")
def change_tasks_graph(
    identifier: str, change: Change, scope: InTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """Note what has become of a graph."""
    scope.must_execute()
    with storage.writing(slot) as session:
        graph = find_graph(session, scope, identifier)
        if change.state == GraphState.RUNNING and graph.execution.status in ACTIVE_STATUSES:
            raise Conflict(f"Only the engine can carry out the tasks graph `{identifier}`")
        graph.state = change.state
        session.flush()
        return _shape(graph)


def find_graph(session: Session, scope: Scope, identifier: str) -> TasksGraph:
    """A graph that the caller may change; its row is locked. Raises ``NotFound`` and ``Conflict``."""
    statement = (
        select(TasksGraph)
        .join(TasksGraph.execution)
        .where(TasksGraph.id == identifier, scope.own(Execution))
        .with_for_update(of=TasksGraph)
    )
    graph: TasksGraph | None = None
    if "\0" not in identifier:
        graph = session.scalars(statement).first()
    if graph is None:
        raise NotFound.of("TasksGraph", identifier)
    check_free(graph)
    return graph


def check_free(graph: TasksGraph) -> None:
    """Raise ``Conflict`` where the engine carries it out: what it knows of the graph must not change."""
    execution = graph.execution
    worked_on = execution.engine is not None and execution.status in ACTIVE_STATUSES
    if worked_on and graph.state == GraphState.RUNNING:
        raise Conflict(f"The tasks graph `{graph.id}` is being carried out, and cannot be changed meanwhile")
