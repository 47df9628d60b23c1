"""What most resources have in common: they can be listed, shown and deleted.

A ``Resource`` says what is different, and the commands are made from it: by ``list_command``, ``get_command``
and ``delete_command``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from cli import options
from cli.api import path
from cli.command import Command
from cli.options import Decorator
from cli.session import Session, pass_session
from cli.showing import local_time

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of thing that a manager keeps.

    ``columns``: its fields that a table shows, the most important ones first, and (unless ``details`` names
    others) the answer to ``get``. ``fields``: which field a column shows, if it is not called like it.
    ``query``: what each request that reads it carries. ``sort_by``: the order of a list; None: the manager's.
    ``in_tenant``: whether it belongs to a tenant, so that one can be chosen.
    """

    noun: str
    columns: Sequence[str]
    plural: str = ""
    details: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    sort_by: str | None = None
    in_tenant: bool = True

    @property
    def nouns(self) -> str:
        """The noun for several of them."""
        return self.plural or f"{self.noun}s"

    @property
    def argument(self) -> str:
        """The name of the argument that names one of them."""
        return self.noun.replace(" ", "_")

    def path(self, *parts: str) -> str:
        """The path of the list, of one of them, or of something below that."""
        return path(self.nouns.replace(" ", "-"), *parts)

    def read(self, session: Session, name: str) -> Record:
        """One of them, as the manager has it."""
        found: Record = session.api.get(self.path(name), **self.query)
        return found

    def show(self, session: Session, record: Record) -> None:
        """Print one: what matters of it, or with ``--json`` everything."""
        shown = self.details or self.columns
        session.out.details(self._row(record, shown), record)

    def show_all(self, session: Session, records: Sequence[Record]) -> None:
        """Print several."""
        rows = [self._row(record, self.columns) for record in records]
        session.out.table(rows, self.columns, data=records, empty=f"There are no {self.nouns}.")

    def _row(self, record: Record, columns: Sequence[str]) -> Record:
        row = {column: record.get(self.fields.get(column, column)) for column in columns}
        return {name: local_time(value) if _is_moment(name, value) else value for name, value in row.items()}


def _is_moment(name: str, value: Any) -> bool:
    return name.endswith("_at") and bool(value)


def list_command(resource: Resource, *filters: Decorator) -> click.Command:
    """``list``. The parameters of ``filters`` are called like the fields by which they filter."""

    def run(session: Session, sort_by: str | None, descending: bool, **query: Any) -> None:
        asked = {**resource.query, **{name: _as_text(value) for name, value in query.items() if value}}
        asked["_sort"] = _order(sort_by or resource.sort_by, descending=descending)
        resource.show_all(session, _page(session, resource, asked))

    return _command("list", f"List the {resource.nouns}.", run, *filters, *_listing(resource))


def _page(session: Session, resource: Resource, query: Mapping[str, Any]) -> Sequence[Record]:
    if {"_offset", "_size"} & set(query):
        page: Sequence[Record] = session.api.get(resource.path(), **query)["items"]
        return page
    return session.api.items(resource.path(), **query)


def _order(field_name: str | None, *, descending: bool) -> str | None:
    if descending and not field_name:
        raise click.UsageError("--descending needs --sort-by FIELD.")
    return f"-{field_name}" if descending else field_name


def _listing(resource: Resource) -> list[Decorator]:
    default = f" Default: {resource.sort_by}." if resource.sort_by else ""
    tenancy = [options.in_tenant, _all_tenants] if resource.in_tenant else []
    return [
        *tenancy,
        click.option("--search", "_search", metavar="TEXT", help="Only those whose name holds this text."),
        click.option("--sort-by", metavar="FIELD", help=f"The field that decides the order.{default}"),
        click.option("--descending", is_flag=True, help="The greatest first."),
        click.option(
            *("-o", "--pagination-offset", "_offset"),
            type=click.IntRange(min=0),
            metavar="NUMBER",
            help="How many to leave out at the beginning.",
        ),
        click.option(
            *("-s", "--pagination-size", "_size"),
            type=click.IntRange(min=1),
            metavar="NUMBER",
            help="How many to show at most. Default: all.",
        ),
    ]


_all_tenants: Decorator = click.option(
    "-a", "--all-tenants", "_all_tenants", is_flag=True, help="Those of all tenants that the user may see."
)


def get_command(resource: Resource) -> click.Command:
    """``get``."""

    def run(session: Session, name: str) -> None:
        resource.show(session, resource.read(session, name))

    return _command("get", f"Show one {resource.noun}.", run, *_named(resource))


def delete_command(resource: Resource, *more: Decorator) -> click.Command:
    """``delete``. The parameters of ``more`` are called like those of the request's query."""

    def run(session: Session, name: str, **query: Any) -> None:
        asked = {key: _as_text(value) for key, value in query.items() if value}
        session.api.delete(resource.path(name), **asked)
        session.out.done(f"{resource.noun.capitalize()} {name} is deleted.", {"deleted": name})

    return _command("delete", f"Delete one {resource.noun}.", run, *_named(resource), *more)


def _named(resource: Resource) -> list[Decorator]:
    argument: Decorator = click.argument("name", metavar=resource.argument.upper())
    return [argument, options.in_tenant] if resource.in_tenant else [argument]


def _command(name: str, help_text: str, run: Callable[..., None], *decorators: Decorator) -> click.Command:
    callback: Callable[..., None] = pass_session(run)
    for decorator in reversed(decorators):
        callback = decorator(callback)
    return click.command(name, cls=Command, help=help_text)(callback)


def _as_text(value: Any) -> Any:
    return "true" if value is True else value
