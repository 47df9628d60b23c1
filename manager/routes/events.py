"""Events and log lines, for clients who follow a workflow while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import and_, or_, select

from manager import listing, pages
from manager.dependencies import Database, ListQuery, Slot
from manager.errors import NotFound
from manager.events import Line, write
from manager.listing import Kind, timestamp
from manager.models import EVENT_TYPE, NAME_LENGTH, Event, Execution
from manager.routes.json_route import Body, Text, router
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

MESSAGE_LENGTH, LINES = 20_000, 100
INFO = "info"

Name = Annotated[Text, Field(max_length=NAME_LENGTH)]

IN_ORDER = (("reported_timestamp", False),)

ALIASES = {"@timestamp": "reported_timestamp"}
"""What existing clients call the time at which a line was reported."""

WORDS, WILDCARDS = "message.text", "%*"
"""The filter with which they look for a word in the messages, and what they may put around it."""


@events.get("/events")
def list_events(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """Those of the executions that the caller sees, in the order in which they were reported."""
    seen = select(Execution.pk).where(scope.visible(Execution, all_tenants=query.all_tenants))
    of_none = and_(Event.execution_pk.is_(None), Event.tenant_id == scope.tenant_id)
    statement = select(Event).where(or_(Event.execution_pk.in_(seen), of_none))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, _asked(query))
        return query.answer(map(_shape, found), total)


def _asked(query: listing.ListQuery) -> listing.ListQuery:
    """The query in our own words, and with an order."""
    filters = dict(query.filters)
    words = filters.pop(WORDS, ())
    search = words[-1].strip(WILDCARDS) if words else query.search
    return replace(query, filters=filters, search=search, sort=query.sort or IN_ORDER).renamed(ALIASES)


class Said(Body):
    """One line: an event (``event_type``) or a line of a log (``level``)."""

    message: Annotated[Text, Field(max_length=MESSAGE_LENGTH)]
    event_type: Name | None = None
    level: Name | None = None
    logger: Name | None = None
    node_name: Name | None = None
    node_instance_id: Name | None = None
    source_id: Name | None = None
    target_id: Name | None = None
    operation: Name | None = None


class News(Body):
    """The body of ``POST /events``: what an operation on an agent has said, in order."""

    execution_id: Name
    lines: Annotated[list[Said], Field(max_length=LINES)]


@events.post("/events", status_code=201)
def write_events(news: News, scope: InTenant, storage: Database, slot: Slot) -> dict[str, Any]:
    """Add lines to those of an execution."""
    scope.must_execute()
    lines = [_line(said) for said in news.lines]
    with storage.writing(slot) as session:
        execution = session.scalar(
            select(Execution).where(Execution.id == news.execution_id, scope.own(Execution))
        )
        if execution is None:
            raise NotFound.of("Execution", news.execution_id)
        write(session, execution, *lines)
    return {"written": len(lines)}


def _line(said: Said) -> Line:
    told = said.model_dump()
    # It is one of both, and a line of a log has a level.
    return Line(**told | {"level": None if said.event_type else said.level or INFO})


def _shape(event: Event) -> dict[str, Any]:
    more = OF_EVENTS if event.type == EVENT_TYPE else OF_LOGS
    return {
        **{name: getattr(event, name) for name in (*TEXTS, *more, "error_causes")},
        **{name: timestamp(getattr(event, name)) for name in TIMES},
    }
