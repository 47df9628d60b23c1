"""A list of executions, with times and numbers that are not there, is what the parameters say."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from manager.listing import parse
from manager.models import Execution
from manager.pages import from_items, from_table
from manager.routes.executions import TABLE

pytestmark = pytest.mark.integration

WORDS = ("install", "Install", "un_install", "in%", "é")
FIELDS = ("workflow_id", "status", "error", "started_at", "total_operations", "is_dry_run")
BEGIN = datetime(2017, 4, 17, 12, 12, 36, 626000, UTC)

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "workflow_id": st.sampled_from(WORDS),
            "status": st.sampled_from(["started", "failed"]),
            "error": st.none() | st.sampled_from(WORDS),
            "started_at": st.none() | st.integers(0, 3).map(lambda day: BEGIN + timedelta(days=day)),
            "total_operations": st.none() | st.integers(0, 3),
            "is_dry_run": st.booleans(),
        }
    ),
    max_size=10,
)
BOUND = st.sampled_from(["", "2017-04-18", "2017-04-18T12:12:36.626Z", "2017-04-19T14:12:36.626+02:00"])
PARAMETERS = st.lists(
    st.one_of(
        st.tuples(
            st.just("_sort"), st.builds("{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(FIELDS))
        ),
        st.tuples(st.sampled_from(["workflow_id", "error", "_search"]), st.sampled_from(WORDS)),
        st.tuples(st.just("is_dry_run"), st.sampled_from(["True", "false", "1"])),
        st.tuples(st.just("total_operations"), st.sampled_from(["0", "1", "2.0"])),
        st.tuples(st.just("_range"), st.builds("started_at,{},{}".format, BOUND, BOUND)),
        st.tuples(st.just("_range"), st.sampled_from(["total_operations,1,", "total_operations,,1.5"])),
        st.tuples(st.sampled_from(["_offset", "_size"]), st.integers(0, 5).map(str)),
    ),
    max_size=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, parameters=PARAMETERS)
def test_a_table_is_listed_like_a_list_in_memory(engine: Engine, rows, parameters):
    """Two independent ways to the same answer; the data is rolled back."""
    mark = uuid.uuid4().hex
    with Session(engine) as session:
        made = [
            Execution(id=f"{mark}-in{place}", tenant_id=1, parameters={}, deployment_id=mark, **row)
            for place, row in enumerate(rows)
        ]
        session.add_all(made)
        session.flush()
        query = parse(parameters)
        mine = select(Execution).where(Execution.deployment_id == mark)
        found, total = from_table(session, mine, TABLE, query)
        items = [{name: getattr(it, name, None) for name in TABLE.fields} for it in made]
        expected, count = from_items(items, TABLE.fields, query, "id")
        names = [it.id for it in found]
        session.rollback()
    assert total == count
    for name, item in zip_longest(names, expected):
        assert name == item["id"]
