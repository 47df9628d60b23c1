"""The operations of tasks graphs, one by one (for the graphs see ``tasks_graphs``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import Select, exc, func, select
from sqlalchemy.orm import Session, contains_eager

from manager import pages, shapes
from manager.dependencies import Database, ListQuery, Slot
from manager.errors import BadParameters, Conflict, NotFound
from manager.listing import Kind, boolean, timestamp
from manager.models import NAME_LENGTH, Execution, Operation, TasksGraph
from manager.routes.json_route import NAME_PATTERN, Body, Text, router, storable
from manager.routes.tasks_graphs import Identifier, Task, check_free, find_graph
from manager.tenancy import InTenant, Scope
from manager.workflows.model import ENDED, OperationState, TaskType

operations = router()

TEXTS = ("id", "name", "state", "type", "tasks_graph_id", "execution_id", "error")
WORKERS = ("agent_name", "manager_name")
TIMES = ("created_at", "started_at", "ended_at")
DOCUMENTS = ("parameters", "dependencies", "result")

TABLE = shapes.table(
    Operation,
    {
        **dict.fromkeys((*TEXTS, *WORKERS), Kind.TEXT),
        **dict.fromkeys(TIMES, Kind.TIME),
        **dict.fromkeys(DOCUMENTS, Kind.OPAQUE),
        "retries": Kind.NUMBER,
        "resumable": Kind.BOOLEAN,
    },
    {"tasks_graph_id": TasksGraph.__table__.c.id, "execution_id": Execution.__table__.c.id},
    owned=Execution,
)

ALIASES = {"graph_id": "tasks_graph_id"}
SKIP_INTERNAL = "skip_internal"
EXTERNAL = (TaskType.REMOTE, TaskType.SUBGRAPH)


class NewOperation(Task):
    """The body of ``PUT /operations/ID``."""

    graph_id: Identifier


class Change(Body):
    """The body of ``PATCH /operations/ID``. ``exception``: why it has failed."""

    state: OperationState
    result: Annotated[Any, AfterValidator(storable)] = None
    exception: Text | None = None
    manager_name: Annotated[Text, Field(max_length=NAME_LENGTH)] | None = None
    agent_name: Annotated[Text, Field(max_length=NAME_LENGTH)] | None = None


def _shape(operation: Operation) -> dict[str, Any]:
    graph = operation.tasks_graph
    return {
        **{name: getattr(operation, name) for name in ("id", "name", "state", "type", "error", *WORKERS)},
        "tasks_graph_id": graph.id,
        "execution_id": graph.execution.id,
        **{name: timestamp(getattr(operation, name)) for name in TIMES},
        **{name: getattr(operation, name) for name in (*DOCUMENTS, "retries", "resumable")},
        **shapes.owner(graph.execution),
    }


@operations.get("/operations")
def list_operations(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """The operations of all executions that the caller sees; ``skip_internal``: without the engine's own."""
    filters = dict(query.filters)
    skip = filters.pop(SKIP_INTERNAL, ("false",))[-1]
    statement = _joined().where(scope.visible(Execution, all_tenants=query.all_tenants))
    if boolean(SKIP_INTERNAL, skip):
        statement = statement.where(Operation.type.in_(EXTERNAL))
    asked = replace(query, filters=filters).renamed(ALIASES)
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, asked)
        return query.answer(map(_shape, found), total)


@operations.get("/operations/{identifier}")
def read_operation(identifier: str, scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """One operation."""
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        statement = _joined().where(scope.visible(Execution))
        return query.project(_shape(_one(session, statement, identifier)))


@operations.put("/operations/{identifier}", status_code=201)
def create_operation(
    identifier: str, new: NewOperation, scope: InTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """Add an operation to a graph."""
    scope.must_execute()
    if not NAME_PATTERN.fullmatch(identifier):
        raise BadParameters(f"`{identifier[:NAME_LENGTH]}` cannot be the ID of an operation")
    with storage.writing(slot) as session:
        graph = find_graph(session, scope, new.graph_id)
        operation = Operation(id=identifier, **new.model_dump(exclude={"graph_id"}), tasks_graph=graph)
        session.add(operation)
        try:
            session.flush()
        except exc.IntegrityError as error:
            raise Conflict(f"Operation with ID `{identifier}` already exists") from error
        return _shape(operation)


@operations.patch("/operations/{identifier}")
def change_operation(
    identifier: str, change: Change, scope: InTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """Note how far an operation has come."""
    scope.must_execute()
    with storage.writing(slot) as session:
        operation = _locked(session, scope, identifier)
        operation.state, operation.result, operation.error = change.state, change.result, change.exception
        operation.manager_name = change.manager_name or operation.manager_name
        operation.agent_name = change.agent_name or operation.agent_name
        if change.state == OperationState.STARTED:
            operation.started_at = func.now()
        operation.ended_at = func.now() if change.state in ENDED else None
        session.flush()
        return _shape(operation)


@operations.delete("/operations/{identifier}")
def delete_operation(identifier: str, scope: InTenant, storage: Database, slot: Slot) -> dict[str, Any]:
    """Take an operation out of its graph."""
    scope.must_execute()
    with storage.writing(slot) as session:
        operation = _locked(session, scope, identifier)
        gone = _shape(operation)
        session.delete(operation)
        return gone


def _joined() -> Select[Any]:
    path = contains_eager(Operation.tasks_graph).contains_eager(TasksGraph.execution)
    return select(Operation).join(Operation.tasks_graph).join(TasksGraph.execution).options(path)


def _locked(session: Session, scope: Scope, identifier: str) -> Operation:
    """Raises ``NotFound`` and ``Conflict``."""
    statement = _joined().where(scope.own(Execution)).with_for_update(of=[TasksGraph, Operation])
    operation = _one(session, statement, identifier)
    check_free(operation.tasks_graph)
    return operation


def _one(session: Session, statement: Select[Any], identifier: str) -> Operation:
    found: Operation | None = None
    if "\0" not in identifier:
        found = session.scalars(statement.where(Operation.id == identifier)).unique().first()
    if found is None:
        raise NotFound.of("Operation", identifier)
    return found
