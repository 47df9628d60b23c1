"""List parameters: reading them, and what they do to a list in memory."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import BadParameters, NoSuchIncludeField
from manager.listing import DEFAULT_SIZE, Kind, ListQuery, Range, parse, parse_time, timestamp
from manager.pages import from_items

FIELDS = {
    "name": Kind.TEXT,
    "rank": Kind.NUMBER,
    "well": Kind.BOOLEAN,
    "born": Kind.TIME,
    "more": Kind.OPAQUE,
}


def item(name: str, rank: int | None = 0, *, well: bool = True, day: int | None = 1) -> dict:
    born = None if day is None else datetime(2017, 4, day, tzinfo=UTC)
    return {"name": name, "rank": rank, "well": well, "born": born, "more": {}}


ITEMS = [
    item("ann", 3, day=3),
    item("bob", 1, well=False),
    item("Cid", None, day=None),
    item("dan", 1, day=2),
]


def names(*parameters: tuple[str, str]) -> list[str]:
    return [found["name"] for found in from_items(ITEMS, FIELDS, parse(parameters), "name")[0]]


def test_nothing_asked():
    assert parse([]) == ListQuery()
    assert names() == ["ann", "bob", "Cid", "dan"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([("name", "bob")], ["bob"]),
        ([("name", "bob"), ("name", "ann")], ["ann", "bob"]),
        ([("name", "bob"), ("rank", "3")], []),
        ([("well", "True")], ["ann", "Cid", "dan"]),
        ([("well", "false")], ["bob"]),
        ([("rank", "1"), ("rank", "3")], ["ann", "bob", "dan"]),
        ([("born", "2017-04-02T00:00:00.000Z")], ["dan"]),
        ([("_search", "AN")], ["ann", "dan"]),
        ([("_search", "%")], []),
        ([("_sort", "rank")], ["bob", "dan", "ann", "Cid"]),
        ([("_sort", "-rank")], ["Cid", "ann", "bob", "dan"]),
        ([("_sort", "rank"), ("_sort", "-name")], ["dan", "bob", "ann", "Cid"]),
        ([("_sort", " name")], ["Cid", "ann", "bob", "dan"]),
        ([("_offset", "1"), ("_size", "2")], ["bob", "Cid"]),
        ([("_offset", "9")], []),
        ([("_size", "0")], []),
        ([("_size", "1"), ("_get_all_results", "true")], ["ann", "bob", "Cid", "dan"]),
        ([("_range", "rank,1,2")], ["bob", "dan"]),
        ([("_range", "rank,2,")], ["ann"]),
        ([("_range", "rank,,")], ["ann", "bob", "Cid", "dan"]),
        ([("_range", "born,2017-04-02,2017-04-03T00:00:00Z")], ["ann", "dan"]),
        ([("_range", "name,b,z"), ("_range", "rank,1,1")], ["bob", "dan"]),
        ([("_include_system_workflows", "False"), ("_all_tenants", "true")], ["ann", "bob", "Cid", "dan"]),
    ],
)
def test_what_is_found(parameters, expected):
    assert names(*parameters) == expected


@pytest.mark.parametrize(
    "parameter",
    [
        ("_size", "-1"),
        ("_size", "x"),
        ("_size", "1.5"),
        ("_size", "٣"),
        ("_offset", str(2**31)),
        ("_offset", "9" * 5000),
        ("_range", "rank"),
        ("_range", "rank,1,2,3"),
        ("_range", "rank,x,"),
        ("_range", "colour,1,2"),
        ("_get_data", "perhaps"),
        ("_sort", "colour"),
        ("_sort", "more"),
        ("colour", "red"),
        ("more", "1"),
        ("well", "maybe"),
        ("born", "yesterday"),
        ("name", "a\0b"),
    ],
)
def test_what_is_refused(parameter):
    with pytest.raises(BadParameters):
        names(parameter)


def test_included_fields():
    query = parse([("_include", "name, rank"), ("_include", "well")])
    assert query.project(ITEMS[0]) == {"name": "ann", "rank": 3, "well": True}
    with pytest.raises(NoSuchIncludeField, match="colour"):
        names(("_include", "name,colour"))


def test_the_answer_tells_the_page():
    query = parse([("_offset", "1"), ("_size", "2")])
    page, total = from_items(ITEMS, FIELDS, query, "name")
    assert query.answer(page, total)["metadata"] == {"pagination": {"total": 4, "offset": 1, "size": 2}}
    assert ListQuery().answer([], 0)["metadata"]["pagination"]["size"] == DEFAULT_SIZE
    assert parse([("_get_all_results", "1")]).answer([], 4)["metadata"]["pagination"]["size"] == 4


@given(
    st.lists(st.tuples(st.text("abc", max_size=3), st.integers(0, 3) | st.none()), max_size=30),
    st.integers(1, 7),
    st.sampled_from(["", "rank", "-rank", "name", "-name"]),
)
def test_pages_put_together_are_the_list(values, size, sort):
    items = [item(name, rank) for name, rank in values]
    asked = [("_sort", sort)] if sort else []
    everything, total = from_items(items, FIELDS, parse(asked), "name")
    assert total == len(items)
    together = []
    for offset in range(0, len(items), size):
        page = parse([*asked, ("_offset", str(offset)), ("_size", str(size))])
        together += from_items(items, FIELDS, page, "name")[0]
    assert together == everything
    assert sorted(map(id, everything)) == sorted(map(id, items))


@given(st.lists(st.tuples(st.text("_+-,abz", max_size=8), st.text(max_size=8)), max_size=5))
def test_no_parameters_are_a_crash(parameters):
    with suppress(BadParameters):
        parse(parameters).check(FIELDS)


@given(st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)))  # noqa: DTZ001
def test_timestamps(moment):
    text = timestamp(moment)
    assert len(text) == len("2017-04-17T12:12:36.626Z")
    assert text.endswith("Z")
    assert parse_time(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_timestamps_are_in_utc():
    moment = datetime(2017, 4, 17, 14, 12, 36, 626123, timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2017-04-17T12:12:36.626Z"
    assert timestamp(None) is None
    assert parse([("_range", "born,2017-04-17T14:12:36.626 02:00,")]).ranges == (
        Range("born", "2017-04-17T14:12:36.626 02:00", None),
    )
    assert parse_time("2017-04-17T14:12:36.626 02:00") == moment.replace(microsecond=626000)
