"""Events and log lines, for clients who follow a workflow while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import and_, or_, select

from manager import pages
from manager.dependencies import Database, ListQuery
from manager.listing import Kind, timestamp
from manager.models import EVENT_TYPE, Event, Execution
from manager.routes.json_route import router
from manager.tenancy import InTenant

events = router()

TEXTS = (
    *("blueprint_id", "deployment_id", "execution_id", "workflow_id", "node_name", "node_instance_id"),
    *("source_id", "target_id", "operation", "message", "type"),
)
TIMES = ("timestamp", "reported_timestamp")
OF_EVENTS, OF_LOGS = ("event_type",), ("level", "logger")
OWN = Event.__table__.c

TABLE = pages.Table(
    fields={
        **dict.fromkeys((*TEXTS, *OF_EVENTS, *OF_LOGS), Kind.TEXT),
        **dict.fromkeys(TIMES, Kind.TIME),
        "error_causes": Kind.OPAQUE,
    },
    columns={name: OWN[name] for name in (*TEXTS, *OF_EVENTS, *OF_LOGS, *TIMES)},
    name="reported_timestamp",
    key=OWN.pk,
    searched="message",
)

IN_ORDER = (("reported_timestamp", False),)


@events.get("/events")
def list_events(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """Those of the executions that the caller sees, in the order in which they were reported."""
    seen = select(Execution.pk).where(scope.visible(Execution, all_tenants=query.all_tenants))
    of_none = and_(Event.execution_pk.is_(None), Event.tenant_id == scope.tenant_id)
    statement = select(Event).where(or_(Event.execution_pk.in_(seen), of_none))
    ordered = replace(query, sort=query.sort or IN_ORDER)
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, ordered)
        return query.answer(map(_shape, found), total)


def _shape(event: Event) -> dict[str, Any]:
    more = OF_EVENTS if event.type == EVENT_TYPE else OF_LOGS
    return {
        **{name: getattr(event, name) for name in (*TEXTS, *more, "error_causes")},
        **{name: timestamp(getattr(event, name)) for name in TIMES},
    }
