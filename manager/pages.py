"""One page of a list: from a table (``from_table``) or from values in memory (``from_items``).

Both mean the same by every parameter, as a test compares on random lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from manager.listing import Fields, Kind, ListQuery, value_of


@dataclass(frozen=True, slots=True)
class Table:
    """How a resource is listed: ``columns`` belongs to those of ``fields`` that are not opaque.

    ``name``: the field that names an item. ``_search`` looks in it (or in ``searched``), and the list is
    sorted by it at last, so that the order is total and pages never overlap. ``key``: what tells apart items
    that can have one name.
    """

    fields: Fields
    columns: Mapping[str, ColumnElement[Any]]
    name: str
    key: ColumnElement[Any] | None = None
    searched: str | None = None

    def comparable(self, field: str) -> ColumnElement[Any]:
        """The column, compared byte by byte: the order may not depend on a server's locale."""
        column = self.columns[field]
        return column.collate("C") if self.fields[field] is Kind.TEXT else column


def from_table(
    session: Session, statement: Select[Any], table: Table, query: ListQuery
) -> tuple[Sequence[Any], int]:
    """The rows of the page, and how many there are on all pages. Raises ``BadParameters``."""
    query.check(table.fields)
    statement = statement.where(*_conditions(table, query))
    total = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    statement = statement.order_by(*_order(table, query)).offset(query.offset).limit(query.size)
    return session.scalars(statement).unique().all(), total


def _conditions(table: Table, query: ListQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for field, texts in query.filters.items():
        column, kind = table.columns[field], table.fields[field]
        conditions.append(or_(*(column == value_of(field, kind, text) for text in texts)))
    for item in query.ranges:
        column, kind = table.comparable(item.field), table.fields[item.field]
        if item.low is not None:
            conditions.append(column >= value_of(item.field, kind, item.low))
        if item.high is not None:
            conditions.append(column <= value_of(item.field, kind, item.high))
    if query.search is not None:
        conditions.append(
            table.columns[table.searched or table.name].icontains(query.search, autoescape=True)
        )
    return conditions


def _order(table: Table, query: ListQuery) -> list[ColumnElement[Any]]:
    order = [
        table.comparable(field).desc() if descending else table.comparable(field).asc()
        for field, descending in query.sort
    ]
    last = [] if table.key is None else [table.key.asc()]
    return [*order, table.comparable(table.name).asc(), *last]


def from_items(
    items: Iterable[Mapping[str, Any]], fields: Fields, query: ListQuery, name: str
) -> tuple[list[Mapping[str, Any]], int]:
    """The same for values in memory, in their order unless asked otherwise.

    ``name``: the field in which ``_search`` looks. Values of kind TIME are ``datetime``.
    """
    query.check(fields)
    chosen = [item for item in items if _matches(item, fields, query, name)]
    for field, descending in reversed(query.sort):
        _sort(chosen, field, descending=descending)
    end = None if query.size is None else query.offset + query.size
    return chosen[query.offset : end], len(chosen)


def _sort(items: list[Mapping[str, Any]], field: str, *, descending: bool) -> None:
    def key(item: Mapping[str, Any]) -> tuple[bool, Any]:
        """As PostgreSQL does it, what is absent is greater than everything else."""
        value = item[field]
        return value is None, "" if value is None else value

    # Sorting in reverse keeps the order of equals, too.
    items.sort(key=key, reverse=descending)


def _matches(item: Mapping[str, Any], fields: Fields, query: ListQuery, name: str) -> bool:
    wanted = all(
        item[field] in [value_of(field, fields[field], text) for text in texts]
        for field, texts in query.filters.items()
    )
    inside = all(_within(item[it.field], it.low, it.high, fields[it.field], it.field) for it in query.ranges)
    found = query.search is None or query.search.lower() in str(item[name]).lower()
    return wanted and inside and found


def _within(value: Any, low: str | None, high: str | None, kind: Kind, field: str) -> bool:
    bounds = [text for text in (low, high) if text is not None]
    if value is None:
        return not bounds
    return (low is None or value >= value_of(field, kind, low)) and (
        high is None or value <= value_of(field, kind, high)
    )
