"""What resources in a tenant show of their owner, and how they are listed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, inspect

from manager import tenancy
from manager.listing import Fields, Kind
from manager.models import Base, Owned
from manager.pages import Table

OWNER: Fields = {
    "visibility": Kind.TEXT,
    "tenant_name": Kind.TEXT,
    "created_by": Kind.TEXT,
    "private_resource": Kind.OPAQUE,
}
"""The fields that tell whose it is."""


def owner(row: Owned) -> dict[str, Any]:
    """The values of those fields. ``private_resource``: as clients asked before there were visibilities."""
    return {
        "visibility": row.visibility,
        "tenant_name": row.tenant_name,
        "created_by": row.created_by,
        "private_resource": row.visibility == "private",
    }


def table(
    model: type[Base],
    fields: Fields,
    columns: dict[str, ColumnElement[Any]] | None = None,
    *,
    owned: type[Owned],
) -> Table:
    """How a resource is listed whose owner is that of ``owned``: itself, or what it is joined to.

    ``columns``: of the fields that are not columns of ``model`` by the same name.
    """
    own = model.__table__.c
    known: dict[str, ColumnElement[Any]] = {
        "visibility": inspect(owned).columns["visibility"],
        "tenant_name": tenancy.tenant_name(owned),
        "created_by": tenancy.created_by(owned),
        **(columns or {}),
    }
    comparable = [field for field, kind in {**fields, **OWNER}.items() if kind is not Kind.OPAQUE]
    return Table(
        fields={**fields, **OWNER},
        columns={field: known[field] if field in known else own[field] for field in comparable},
        name="id",
        key=own.pk,
    )
