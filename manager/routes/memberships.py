"""Who belongs to which tenant, as what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.models import Membership, Role, Tenant, User

Belonging = Sequence[tuple[str, str]]
"""Pairs of a name (of a user, or of a tenant) and a role, sorted."""


def roles_by_user(session: Session, users: Iterable[User]) -> dict[int, Belonging]:
    """For each user (by id): the tenants, and the role there."""
    found: dict[int, Belonging] = defaultdict(tuple)
    rows = session.execute(
        select(Membership.user_id, Tenant.name, Role.name)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .join(Role, Role.id == Membership.role_id)
        .where(Membership.user_id.in_([user.id for user in users]))
        .order_by(Tenant.name)
    )
    for identifier, name, role in rows:
        found[identifier] = (*found[identifier], (name, role))
    return found


def roles_by_tenant(session: Session, tenants: Iterable[Tenant]) -> dict[int, Belonging]:
    """For each tenant (by id): the users, and their role there."""
    found: dict[int, Belonging] = defaultdict(tuple)
    rows = session.execute(
        select(Membership.tenant_id, User.username, Role.name)
        .join(User, User.id == Membership.user_id)
        .join(Role, Role.id == Membership.role_id)
        .where(Membership.tenant_id.in_([tenant.id for tenant in tenants]))
        .order_by(User.username)
    )
    for identifier, name, role in rows:
        found[identifier] = (*found[identifier], (name, role))
    return found
