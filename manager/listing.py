"""The query parameters that all lists understand, over SQL and over lists in memory.

``_include=a,b``, ``_sort=[-]field``, ``_offset``, ``_size``, ``_search``, ``_range=field,from,to``,
``_all_tenants``, ``_get_data``, ``_get_all_results``; any other parameter that does not begin with ``_``
filters by a field (repeated: or).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from manager.errors import BadParameters, NoSuchIncludeField

DEFAULT_SIZE = 1000
MAXIMUM = 2**31 - 1
TRUE, FALSE = {"true", "1", "yes"}, {"false", "0", "no", ""}


class Kind(Enum):
    """How a field's values compare; ``OPAQUE`` ones are only shown."""

    TEXT = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    TIME = auto()
    OPAQUE = auto()


Fields = Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class Range:
    """Values of ``field`` from ``low`` to ``high``, both included; None: no bound."""

    field: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a client asked of a list. ``size`` None: everything."""

    include: frozenset[str] | None = None
    sort: tuple[tuple[str, bool], ...] = ()  # field, descending
    offset: int = 0
    size: int | None = DEFAULT_SIZE
    search: str | None = None
    ranges: tuple[Range, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    all_tenants: bool = False
    get_data: bool = False

    def renamed(self, names: Mapping[str, str]) -> ListQuery:
        """The same with the fields' own names, for those that clients call in another way."""
        filters: dict[str, tuple[str, ...]] = {}
        for name, texts in self.filters.items():
            field = names.get(name, name)
            filters[field] = (*filters.get(field, ()), *texts)
        return replace(
            self,
            filters=filters,
            sort=tuple((names.get(field, field), descending) for field, descending in self.sort),
            ranges=tuple(replace(item, field=names.get(item.field, item.field)) for item in self.ranges),
        )

    def check(self, fields: Fields) -> None:
        """Raise ``BadParameters`` when something refers to a field that ``fields`` does not have."""
        self.check_include(fields)
        usable = {name for name, kind in fields.items() if kind is not Kind.OPAQUE}
        _only_known("filter", self.filters, usable)
        _only_known("sort", (name for name, _ in self.sort), usable)
        _only_known("range", (item.field for item in self.ranges), usable)

    def check_include(self, fields: Iterable[str]) -> None:
        """Raise ``NoSuchIncludeField`` when ``_include`` names another field than these."""
        unknown = sorted((self.include or frozenset()) - set(fields))
        if unknown:
            raise NoSuchIncludeField(
                f"Illegal include fields: [{', '.join(unknown)}] - available fields: [{', '.join(fields)}]"
            )

    def project(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """``item`` with the fields that were asked for."""
        return {name: item[name] for name in item if self.include is None or name in self.include}

    def answer(self, items: Iterable[Mapping[str, Any]], total: int) -> dict[str, Any]:
        """The list as clients expect it."""
        size = total if self.size is None else self.size
        pagination = {"total": total, "offset": self.offset, "size": size}
        return {"items": [self.project(item) for item in items], "metadata": {"pagination": pagination}}


def _only_known(what: str, names: Iterable[str], known: set[str]) -> None:
    unknown = sorted(set(names) - known)
    if unknown:
        raise BadParameters(f"Cannot {what} by {', '.join(unknown)}; possible: {', '.join(sorted(known))}")


def parse(parameters: Iterable[tuple[str, str]]) -> ListQuery:
    """Read the parameters of a URL, in order. Raises ``BadParameters``."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        if "\0" in value:
            raise BadParameters(f"{name}: the NUL character is not allowed")
        given.setdefault(name, []).append(value)
    last = {name: values[-1] for name, values in given.items()}
    everything = _boolean(last, "_get_all_results")
    return ListQuery(
        include=_include(given.get("_include", [])),
        sort=tuple(_sort_key(text) for text in given.get("_sort", []) if text.strip("+- ")),
        offset=_number(last, "_offset", 0),
        size=None if everything else _number(last, "_size", DEFAULT_SIZE),
        search=last.get("_search") or None,
        ranges=tuple(_range(text) for text in given.get("_range", []) if text),
        filters={name: tuple(values) for name, values in given.items() if not name.startswith("_")},
        all_tenants=_boolean(last, "_all_tenants"),
        get_data=_boolean(last, "_get_data"),
    )


def _include(values: Iterable[str]) -> frozenset[str] | None:
    return frozenset(name.strip() for value in values for name in value.split(",") if name.strip()) or None


def _sort_key(text: str) -> tuple[str, bool]:
    # A plus sign that a client did not escape arrives as a space.
    return text.lstrip("+- "), text.startswith("-")


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAXIMUM)) and int(text) <= MAXIMUM):
        raise BadParameters(f"{name}: {text!r} is not a whole number from 0 to {MAXIMUM}")
    return int(text)


def _boolean(given: Mapping[str, str], name: str) -> bool:
    return boolean(name, given.get(name, "false"))


def boolean(name: str, text: str) -> bool:
    """Read a truth value as old clients write it (``true``, ``True``, ``1``). Raises ``BadParameters``."""
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise BadParameters(f"{name}: {text!r} is neither true nor false")


def _range(text: str) -> Range:
    match text.split(","):
        case [name, low, high]:
            return Range(name, low or None, high or None)
    raise BadParameters(f"_range: {text!r} is not of the form field,from,to")


def value_of(name: str, kind: Kind, text: str) -> Any:
    """A parameter's text as a value that compares to those of the field. Raises ``BadParameters``."""
    match kind:
        case Kind.BOOLEAN:
            return boolean(name, text)
        case Kind.NUMBER:
            return _parsed(name, text, float, "a number")
        case Kind.TIME:
            return _parsed(name, text, parse_time, "a time such as 2017-04-17T12:12:36.626Z")
        case _:
            return text


def _parsed(name: str, text: str, parser: Any, expected: str) -> Any:
    try:
        return parser(text)
    except (ValueError, OverflowError):
        raise BadParameters(f"{name}: {text!r} is not {expected}") from None


def parse_time(text: str) -> datetime:
    """Read a time; without a zone it is UTC. Raises ``ValueError``."""
    # A plus sign that a client did not escape arrives as a space: undo it for the zone.
    moment = datetime.fromisoformat(
        text if text.count(" ") != 1 or "T" not in text else text.replace(" ", "+")
    )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def timestamp(moment: datetime | None) -> str | None:
    """A time as the contract writes it: UTC, milliseconds, ``Z``."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
