"""Events and log lines, for clients who page through them by number while more are written."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.orm import Session

from manager import events
from manager.events import Line
from manager.listing import parse
from manager.models import Event, Execution
from manager.pages import from_table
from manager.routes.events import TABLE
from tests.support.shop import refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

COMMON = {
    *("deployment_id", "execution_id", "node_name", "operation", "workflow_id", "node_instance_id"),
    *("message", "error_causes", "type", "timestamp", "reported_timestamp"),
}


def an_execution(session: Session) -> Execution:
    """One that is running."""
    execution = Execution(
        id=str(uuid.uuid4()),
        tenant_id=1,
        creator_id=1,
        workflow_id="install",
        status="started",
        parameters={},
    )
    session.add(execution)
    session.flush()
    return execution


@pytest.fixture
def execution(database):
    execution = an_execution(database)
    database.commit()
    yield execution
    database.rollback()
    database.execute(delete(Execution).where(Execution.pk == execution.pk))
    database.commit()


@pytest.fixture
def say(database, execution):
    """Write lines, and commit."""

    def write(*lines: Line) -> None:
        events.write(database, execution, *lines)
        database.commit()

    return write


def test_the_keys_that_clients_need(rest, execution, say):
    say(
        events.started(execution),
        Line("It goes on.", level="info"),
        events.failed(execution, "No room"),
        events.succeeded(execution),
    )
    answer = rest.get(f"/events?execution_id={execution.id}&_sort=reported_timestamp&_offset=0&_size=100")
    started, log, failed, succeeded = answer.json()["items"]
    assert all(set(item) >= COMMON for item in (started, log, failed, succeeded))
    assert (log["type"], log["level"], log["message"]) == ("cloudify_log", "info", "It goes on.")
    assert log["logger"]
    assert [(it["type"], it["event_type"]) for it in (started, failed, succeeded)] == [
        ("cloudify_event", "workflow_started"),
        ("cloudify_event", "workflow_failed"),
        ("cloudify_event", "workflow_succeeded"),
    ]
    assert failed["error_causes"][0]["message"] == "No room"
    assert answer.json()["metadata"]["pagination"] == {"total": 4, "offset": 0, "size": 100}


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("type=cloudify_event", ["a"]),
        ("type=cloudify_log", ["b", "c"]),
        ("type=cloudify_event&type=cloudify_log", ["a", "b", "c"]),
        ("level=error", ["c"]),
        ("event_type=workflow_started", ["a"]),
        ("_search=B", ["b"]),
        ("message.text=B", ["b"]),
        ("message.text=%25b%25", ["b"]),
        ("_sort=@timestamp", ["a", "b", "c"]),
        ("_sort=-@timestamp&_size=2", ["c", "b"]),
        ("_range=@timestamp,2000-01-01T00:00:00,", ["a", "b", "c"]),
        ("_range=@timestamp,,2010-01-01", []),
        ("message=c&message=a", ["a", "c"]),
        ("_sort=-reported_timestamp&_size=2", ["c", "b"]),
        ("_offset=1", ["b", "c"]),
        ("_range=reported_timestamp,2000-01-01,2010-01-01", []),
        ("_range=timestamp,2000-01-01T00:00:00.000Z,", ["a", "b", "c"]),
    ],
)
def test_which_ones(rest, execution, say, query, messages):
    say(Line("a", "workflow_started"), Line("b", level="info"), Line("c", level="error"))
    found = rest.get(f"/events?execution_id={execution.id}&{query}").json()["items"]
    assert [item["message"] for item in found] == messages


def test_included_fields(rest, execution, say):
    say(Line("a", level="info"))
    where = f"/events?execution_id={execution.id}"
    assert rest.get(f"{where}&_include=message,level").json()["items"] == [{"message": "a", "level": "info"}]
    assert refusal(rest.get(f"{where}&_include=colour")) == (400, "no_such_include_field_error")
    assert refusal(rest.get(f"{where}&_sort=error_causes")) == (400, "bad_parameters_error")


def test_what_a_client_has_read_stays_where_it_was(rest, engine: Engine, execution):
    """Several write at the same time, and one follows by number."""
    key, where = execution.pk, f"/events?execution_id={execution.id}&_sort=reported_timestamp"

    def write(number: int) -> None:
        with Session(engine) as session:
            for place in range(25):
                mine = session.get_one(Execution, key)
                events.write(session, mine, Line(f"{number}.{place}", level="info"))
                session.commit()

    read: list[str] = []
    more = True
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        while more:
            writing = not all(writer.done() for writer in writers)
            page = rest.get(f"{where}&_offset={len(read)}&_size=7").json()["items"]
            read += [item["message"] for item in page]
            more = writing or bool(page)
        for writer in writers:
            writer.result()
    assert read == [item["message"] for item in rest.get(where).json()["items"]]
    assert sorted(read) == sorted(f"{number}.{place}" for number in range(4) for place in range(25))


def test_who_began_to_write_later_does_not_get_before(engine: Engine, execution, rest):
    """A writer that waits long for its commit holds back the others of its execution."""
    key, where = execution.pk, f"/events?execution_id={execution.id}"

    def write(session: Session, message: str) -> None:
        events.write(session, session.get_one(Execution, key), Line(message, level="info"))

    with Session(engine) as slow, Session(engine) as quick, ThreadPoolExecutor(1) as pool:
        write(slow, "first")
        second = pool.submit(lambda: (write(quick, "second"), quick.commit()))
        with Session(engine) as looker:
            eventually(lambda: _waits(looker) or second.done(), 30, "the second writer has come")
        assert rest.get(where).json()["items"] == []
        slow.commit()
        second.result()
    assert [item["message"] for item in rest.get(where).json()["items"]] == ["first", "second"]


def _waits(session: Session) -> bool:
    found = session.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    session.rollback()
    return bool(found)


def test_the_clock_of_a_new_leader_may_be_behind(rest, database, execution, say):
    say(Line("before", level="info"))
    ahead = datetime.now(UTC) + timedelta(hours=1)
    database.execute(update(Event).where(Event.execution_pk == execution.pk).values(reported_timestamp=ahead))
    database.commit()
    say(Line("after", level="info"), Line("at last", level="info"))
    found = rest.get(f"/events?execution_id={execution.id}&_sort=reported_timestamp").json()["items"]
    assert [item["message"] for item in found] == ["before", "after", "at last"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(0, 3), max_size=12),
    size=st.integers(1, 5),
    sort=st.sampled_from(["", "reported_timestamp", "-reported_timestamp", "level", "-level", "message"]),
)
def test_pages_put_together_are_the_list(engine: Engine, moments, size, sort):
    """Also where many lines have one time; the data is rolled back."""
    asked = [("_sort", sort)] if sort else []
    with Session(engine) as session:
        execution = an_execution(session)
        events.write(session, execution, *(Line(f"{it}", level=f"{it % 2}") for it in moments))
        session.execute(
            update(Event)
            .where(Event.execution_pk == execution.pk)
            .values(reported_timestamp=func.to_timestamp(func.length(Event.message)))
        )
        mine = select(Event).where(Event.execution_pk == execution.pk)
        everything, total = from_table(session, mine, TABLE, parse(asked))
        together = []
        for offset in range(0, len(moments), size):
            page = parse([*asked, ("_offset", str(offset)), ("_size", str(size))])
            together += from_table(session, mine, TABLE, page)[0]
        keys = [event.pk for event in everything]
        assert [event.pk for event in together] == keys
        session.rollback()
    assert total == len(keys) == len(moments)
    if not sort:
        assert all(before < after for before, after in pairwise(keys))
