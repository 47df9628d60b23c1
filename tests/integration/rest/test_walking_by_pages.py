"""A client that walks a long list gets each row once, by each of the forms that the contract has for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from manager.models import Snapshot
from tests.support.uploads import error_of

pytestmark = pytest.mark.integration

COUNT, DEFAULT_SIZE = 1234, 1000
IDS = [f"row-{number:04}" for number in range(COUNT)]


class Rows:
    """Rows of the list, made and removed behind the manager's back."""

    def __init__(self, engine) -> None:
        self._engine = engine

    def add(self, *ids: str) -> None:
        row = {"tenant_id": 1, "creator_id": 1, "status": "failed"}
        with Session(self._engine) as session:
            session.execute(insert(Snapshot), [{**row, "id": each} for each in ids])
            session.commit()

    def remove(self, *ids: str) -> None:
        with Session(self._engine) as session:
            session.execute(delete(Snapshot).where(Snapshot.id.in_(ids)))
            session.commit()

    def clear(self) -> None:
        with Session(self._engine) as session:
            session.execute(delete(Snapshot).where(Snapshot.id.startswith("row-")))
            session.commit()


@pytest.fixture
def table(engine) -> Iterator[Rows]:
    rows = Rows(engine)
    rows.clear()
    # Many are made in one transaction, so they have one time of creation: a sort by it decides nothing.
    rows.add(*IDS)
    yield rows
    rows.clear()


def page(rest, query: str) -> list[str]:
    answer = rest.get(f"/snapshots?_include=id&_search=row-&{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def walk(rest, size: int, query: str = "") -> Iterator[list[str]]:
    """Pages by their offset, until one is empty."""
    offset = 0
    while found := page(rest, f"_size={size}&_offset={offset}&{query}"):
        yield found
        offset += len(found)


@pytest.mark.parametrize("size", [100, 333, 1000, 2000])
@pytest.mark.parametrize("sort", ["", "_sort=-id", "_sort=created_at", "_sort=-created_at&_sort=-visibility"])
def test_each_row_is_on_one_page(rest, table, size, sort):
    found = [each for part in walk(rest, size, sort) for each in part]
    assert sorted(found) == IDS


def test_a_page_has_a_thousand_rows_unless_another_number_is_asked_for(rest, table):
    answer = rest.get("/snapshots?_search=row-").json()
    assert [item["id"] for item in answer["items"]] == IDS[:DEFAULT_SIZE]
    assert answer["metadata"]["pagination"] == {"total": COUNT, "offset": 0, "size": DEFAULT_SIZE}
    assert page(rest, f"_offset={DEFAULT_SIZE}") == IDS[DEFAULT_SIZE:]
    assert page(rest, "_size=2000") == IDS
    assert page(rest, "_get_all_results=true") == IDS


@pytest.mark.parametrize("asked", ["_size=-1", "_size=2147483648", "_offset=-1", "_offset=1e3"])
def test_a_page_that_there_cannot_be_is_refused(rest, asked):
    assert error_of(rest.get(f"/snapshots?{asked}")) == (400, "bad_parameters_error")


def test_rows_that_come_behind_the_page_move_nothing(rest, table):
    found: list[str] = []
    for number, part in enumerate(walk(rest, 100)):
        found += part
        if number < 5:
            table.add(f"row-new-{number}")
    assert found == [*IDS, *(f"row-new-{number}" for number in range(5))]


def test_rows_that_go_behind_the_page_move_nothing(rest, table):
    found: list[str] = []
    for number, part in enumerate(walk(rest, 100)):
        found += part
        if number < 5:
            table.remove(IDS[-1 - number])
    assert found == IDS[:-5]


def walk_by_range(rest, size: int) -> Iterator[list[str]]:
    """Pages that begin with the row with which the last one ended, wherever that is by now."""
    last = ""
    while found := [each for each in page(rest, f"_sort=id&_range=id,{last},&_size={size}") if each != last]:
        yield found
        last = found[-1]


def test_by_ranges_each_row_that_stays_is_met_once_whatever_comes_and_goes(rest, table):
    """An offset counts rows, and those before it may change; a range names where to go on."""
    found: list[str] = []
    gone: set[str] = set()
    for number, part in enumerate(walk_by_range(rest, 100)):
        found += part
        # Before, at and behind the place, which itself may go as well.
        gone |= {IDS[number * 7], IDS[-1 - number], found[-1]}
        table.remove(IDS[number * 7], IDS[-1 - number], found[-1])
        table.add(f"row-{number * 7:04}-new", f"row-9999-{number}")
    assert len(found) == len(set(found))
    assert set(IDS) - gone <= set(found)
    assert {each for each in found if each.startswith("row-9999")} >= {"row-9999-0", "row-9999-5"}
