"""Tenants, and the users in them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, exc, func, select, true
from sqlalchemy.orm import Session

from manager import pages
from manager.dependencies import Admin, Caller, Database, ListQuery, Slot
from manager.errors import BadParameters, Conflict, DependentExists, Forbidden, IllegalAction, NotFound
from manager.listing import Kind
from manager.models import (
    DEFAULT_TENANT,
    DEFAULT_TENANT_ROLE,
    END_STATUSES,
    TENANT_ROLES,
    Blueprint,
    Deployment,
    Event,
    Execution,
    Membership,
    Role,
    Snapshot,
    Tenant,
)
from manager.routes.json_route import NAME_PATTERN, Body, router
from manager.routes.memberships import Belonging, roles_by_tenant
from manager.routes.users import by_name as user_by_name

tenants = router()

RESERVED = ("users", "user-groups")
"""Names that would hide another address."""

TABLE = pages.Table(
    fields={
        "name": Kind.TEXT,
        "groups": Kind.OPAQUE,
        "users": Kind.OPAQUE,
        "user_roles": Kind.OPAQUE,
    },
    columns={"name": Tenant.__table__.c.name},
    name="name",
)


class Association(Body):
    """A user and a tenant: the body of ``DELETE /tenants/users``."""

    username: str
    tenant_name: str


class RoleInTenant(Association):
    """The body of ``PATCH /tenants/users``."""

    role: str


class NewAssociation(Association):
    """The body of ``PUT /tenants/users``."""

    role: str | None = None


@tenants.put("/tenants/users")
def add_user(new: NewAssociation, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """Let a user into a tenant."""
    try:
        with storage.writing(slot) as session:
            tenant, user = by_name(session, new.tenant_name), user_by_name(session, new.username)
            role = _role(session, new.role or DEFAULT_TENANT_ROLE)
            session.add(Membership(user_id=user.id, tenant_id=tenant.id, role_id=role.id))
            session.flush()
            return _read(session, tenant)
    except exc.IntegrityError as error:
        message = f"The user `{new.username}` is already associated with the tenant `{new.tenant_name}`"
        raise Conflict(message) from error


@tenants.patch("/tenants/users")
def change_user(change: RoleInTenant, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """Give a user another role in a tenant."""
    with storage.writing(slot) as session:
        tenant, membership = _association(session, change)
        membership.role_id = _role(session, change.role).id
        session.flush()
        return _read(session, tenant)


@tenants.delete("/tenants/users")
def remove_user(gone: Association, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """Take a user out of a tenant."""
    with storage.writing(slot) as session:
        tenant, membership = _association(session, gone)
        session.delete(membership)
        session.flush()
        return _read(session, tenant)


@tenants.get("/tenants")
def list_tenants(caller: Caller, storage: Database, query: ListQuery) -> dict[str, Any]:
    """All tenants, or, for somebody who is no administrator, those that he belongs to."""
    statement = select(Tenant)
    if not caller.is_admin:
        mine = select(Membership.tenant_id).where(Membership.user_id == caller.user_id)
        statement = statement.where(Tenant.id.in_(mine))
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query)
        roles = roles_by_tenant(session, found)
        items = [_shape(tenant, roles[tenant.id], get_data=query.get_data) for tenant in found]
        return query.answer(items, total)


@tenants.post("/tenants/{name}", status_code=201)
def create_tenant(name: str, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """A new tenant without users."""
    _check_name(name)
    try:
        with storage.writing(slot) as session:
            tenant = Tenant(name=name)
            session.add(tenant)
            session.flush()
            return _shape(tenant, (), get_data=False)
    except exc.IntegrityError as error:
        raise Conflict(f"Tenant with ID `{name}` already exists") from error


@tenants.get("/tenants/{name}")
def read_tenant(name: str, caller: Caller, storage: Database, query: ListQuery) -> dict[str, Any]:
    """One tenant, for those who belong to it."""
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        tenant = by_name(session, name)
        if not caller.is_admin and session.get(Membership, (caller.user_id, tenant.id)) is None:
            raise Forbidden(f"User `{caller.username}` is not permitted in the tenant `{name}`")
        return query.project(_read(session, tenant, get_data=query.get_data))


@tenants.delete("/tenants/{name}")
def delete_tenant(name: str, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """Take a tenant away that has no resources; its users stay."""
    if name == DEFAULT_TENANT:
        raise IllegalAction("The default tenant cannot be deleted")
    try:
        with storage.writing(slot) as session:
            tenant = by_name(session, name)
            shape = _read(session, tenant)
            _check_empty(session, tenant)
            # What deleted its resources is all that is left.
            session.execute(delete(Event).where(Event.tenant_id == tenant.id))
            session.execute(delete(Execution).where(Execution.tenant_id == tenant.id))
            session.delete(tenant)
            return shape
    except exc.IntegrityError as error:
        raise DependentExists(f"Can't delete tenant {name} - a resource has just been made in it") from error


def _check_empty(session: Session, tenant: Tenant) -> None:
    running = Execution.status.not_in(END_STATUSES)
    for model, which in ((Blueprint, true()), (Deployment, true()), (Snapshot, true()), (Execution, running)):
        found = session.scalar(select(func.count()).where(model.tenant_id == tenant.id, which))
        if found:
            kind = f"{model.__name__.lower()}s"
            raise DependentExists(f"Can't delete tenant {tenant.name} - it has {kind}: {found}")


def by_name(session: Session, name: str) -> Tenant:
    """The tenant. Raises ``NotFound``."""
    tenant = session.scalar(select(Tenant).where(Tenant.name == name)) if "\0" not in name else None
    if tenant is None:
        raise NotFound.of("Tenant", name)
    return tenant


def _association(session: Session, which: Association) -> tuple[Tenant, Membership]:
    tenant, user = by_name(session, which.tenant_name), user_by_name(session, which.username)
    membership = session.get(Membership, (user.id, tenant.id))
    if membership is None:
        raise NotFound(f"The user `{user.username}` is not associated with the tenant `{tenant.name}`")
    return tenant, membership


def _check_name(name: str) -> None:
    if name in RESERVED:
        raise BadParameters(f"`{name}` cannot be the name of a tenant: it is part of another address")
    if not NAME_PATTERN.fullmatch(name):
        raise BadParameters(
            f"`{name}` cannot be the name of a tenant: up to 256 letters, digits and `_.~-` are allowed"
        )


def _role(session: Session, name: str) -> Role:
    role = session.scalar(select(Role).where(Role.name == name)) if name in TENANT_ROLES else None
    if role is None:
        raise BadParameters(f"Invalid role: `{name}`. Valid tenant roles: {', '.join(TENANT_ROLES)}")
    return role


def _read(session: Session, tenant: Tenant, *, get_data: bool = False) -> dict[str, Any]:
    return _shape(tenant, roles_by_tenant(session, [tenant])[tenant.id], get_data=get_data)


def _shape(tenant: Tenant, roles: Belonging, *, get_data: bool) -> dict[str, Any]:
    direct = dict(roles)
    return {
        "name": tenant.name,
        "groups": [] if get_data else 0,
        "users": {user: [role] for user, role in roles} if get_data else len(direct),
        "user_roles": {"direct": direct, "groups": {}},
    }
