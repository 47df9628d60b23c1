"""Executions, to be looked at (see also ``execution_starting`` and ``execution_actions``)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from manager import pages, shapes, tenancy
from manager.dependencies import Database, ListQuery
from manager.errors import NotFound
from manager.listing import Kind, boolean, timestamp
from manager.models import Deployment, Execution
from manager.routes.json_route import router
from manager.tenancy import InTenant, Scope

executions = router()

TIMES = ("created_at", "started_at", "ended_at", "scheduled_for")
FLAGS = ("is_dry_run", "is_system_workflow", "allow_custom_parameters", "force", "queue", "resumable")
NUMBERS = ("wait_after_fail", "timeout_s", "total_operations", "finished_operations")

TABLE = shapes.table(
    Execution,
    {
        **dict.fromkeys(("id", "workflow_id", "status"), Kind.TEXT),
        "status_display": Kind.OPAQUE,
        **dict.fromkeys(("deployment_id", "blueprint_id"), Kind.TEXT),
        **dict.fromkeys(TIMES, Kind.TIME),
        "error": Kind.TEXT,
        "parameters": Kind.OPAQUE,
        **dict.fromkeys(FLAGS, Kind.BOOLEAN),
        **dict.fromkeys(NUMBERS, Kind.NUMBER),
    },
    owned=Execution,
)

DISPLAYED = {"terminated": "completed"}
"""What clients show instead of a status."""


def shape(execution: Execution) -> dict[str, Any]:
    """An execution as clients read it."""
    return {
        "id": execution.id,
        "workflow_id": execution.workflow_id,
        "status": execution.status,
        "status_display": DISPLAYED.get(execution.status, execution.status),
        "deployment_id": execution.deployment_id,
        "blueprint_id": execution.blueprint_id,
        **{name: timestamp(getattr(execution, name)) for name in TIMES},
        "error": execution.error,
        "parameters": execution.parameters,
        **{name: getattr(execution, name) for name in (*FLAGS, *NUMBERS)},
        **shapes.owner(execution),
    }


@executions.get("/executions")
def list_executions(
    scope: InTenant,
    storage: Database,
    query: ListQuery,
    include_system_workflows: Annotated[str, Query(alias="_include_system_workflows")] = "false",
) -> dict[str, Any]:
    """The executions that the caller sees; those on the manager itself only if they are asked for."""
    statement = select(Execution).where(scope.visible(Execution, all_tenants=query.all_tenants))
    if not boolean("_include_system_workflows", include_system_workflows):
        statement = statement.where(Execution.is_system_workflow.is_(False))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query)
        if not total:
            for identifier in query.filters.get("deployment_id", ()):
                _check_deployment(session, scope, identifier, all_tenants=query.all_tenants)
        return query.answer(map(shape, found), total)


@executions.get("/executions/{identifier}")
def read_execution(identifier: str, scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """One execution."""
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        return query.project(shape(tenancy.find(session, scope, Execution, identifier)))


def _check_deployment(session: Session, scope: Scope, identifier: str, *, all_tenants: bool) -> None:
    """Raise ``NotFound`` for a deployment that is not there: clients tell by this that it is gone."""
    for model, column in ((Deployment, Deployment.id), (Execution, Execution.deployment_id)):
        seen = scope.visible(model, all_tenants=all_tenants)
        if session.scalar(select(model.pk).where(column == identifier, seen).limit(1)) is not None:
            return
    raise NotFound.of("Deployment", identifier)
