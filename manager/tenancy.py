"""Who may do what with the resources of a tenant.

A request works in the tenant that its ``Tenant`` header names. It sees what is there, but for what others
keep ``private``, and what is ``global`` in other tenants. It changes only what is in its own tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import Session

from manager import auth
from manager.dependencies import Caller, Database
from manager.errors import BadParameters, Conflict, Forbidden, NotFound
from manager.models import VISIBILITIES, Membership, Owned, Role, Tenant, User

MANAGER_ROLE = "manager"
WRITING_ROLES = frozenset({MANAGER_ROLE, "user"})
EXECUTING_ROLES = WRITING_ROLES | {"operations"}

Resource = TypeVar("Resource", bound=Owned)


@dataclass(frozen=True, slots=True)
class Scope:
    """A caller in a tenant. ``role``: there; None for an administrator who does not belong to it."""

    caller: auth.Caller
    tenant_id: int
    tenant_name: str
    role: str | None

    @property
    def sees_private(self) -> bool:
        """Whether also what others keep private."""
        return self.caller.is_admin or self.role == MANAGER_ROLE

    def must_write(self) -> None:
        """Raise ``Forbidden`` for those who may not create, change and delete resources."""
        self._must_have(WRITING_ROLES)

    def must_execute(self) -> None:
        """Raise ``Forbidden`` for those who may not run workflows."""
        self._must_have(EXECUTING_ROLES)

    def _must_have(self, roles: frozenset[str]) -> None:
        if not self.caller.is_admin and self.role not in roles:
            raise Forbidden(
                f"User `{self.caller.username}` is not permitted to perform this action "
                f"in the tenant `{self.tenant_name}`"
            )

    def own(self, model: type[Owned]) -> ColumnElement[bool]:
        """The resources of this tenant that the caller sees."""
        here = model.tenant_id == self.tenant_id
        if self.sees_private:
            return here
        return and_(here, or_(model.visibility != "private", model.creator_id == self.caller.user_id))

    def visible(self, model: type[Owned], *, all_tenants: bool = False) -> ColumnElement[bool]:
        """What the caller sees, in this tenant and from it; or in all tenants that he belongs to."""
        return or_(self._everywhere(model) if all_tenants else self.own(model), model.visibility == "global")

    def _everywhere(self, model: type[Owned]) -> ColumnElement[bool]:
        if self.caller.is_admin:
            return true()
        mine = select(Membership.tenant_id).where(Membership.user_id == self.caller.user_id)
        managed = mine.join(Role, Role.id == Membership.role_id).where(Role.name == MANAGER_ROLE)
        return and_(
            model.tenant_id.in_(mine),
            or_(
                model.visibility != "private",
                model.creator_id == self.caller.user_id,
                model.tenant_id.in_(managed),
            ),
        )


def find_scope(request: Request, caller: Caller, storage: Database) -> Scope:
    """The caller in the tenant that the request names. Raises ``Forbidden``."""
    name = request.headers.get(auth.TENANT_HEADER)
    if not name:
        raise Forbidden("Authorization failed: the header `Tenant` is missing")
    with storage.reading() as session:
        row = session.execute(
            select(Tenant.id, Role.name)
            .outerjoin(
                Membership,
                and_(Membership.tenant_id == Tenant.id, Membership.user_id == caller.user_id),
            )
            .outerjoin(Role, Role.id == Membership.role_id)
            .where(Tenant.name == name)
        ).one_or_none()
    if row is None:
        raise Forbidden(f"Authorization failed: there is no tenant `{name}`")
    return Scope(caller, row[0], name, MANAGER_ROLE if caller.rules_tenant else row[1])


def _writer(scope: Annotated[Scope, Depends(find_scope)]) -> Scope:
    scope.must_write()
    return scope


InTenant = Annotated[Scope, Depends(find_scope)]
"""Asked for by routes that read."""

WritingInTenant = Annotated[Scope, Depends(_writer)]
"""Asked for by routes that create, change or delete."""


def find(session: Session, scope: Scope, model: type[Resource], identifier: str, *more: Any) -> Resource:
    """What the caller sees by that id, first of all in this tenant. ``more``: ORM options.

    Raises ``NotFound``.
    """
    statement = select(model).where(model.id == identifier, scope.visible(model))
    own_first = (model.tenant_id == scope.tenant_id).desc()
    return _first(session, statement.order_by(own_first).limit(1).options(*more), model, identifier)


def find_own(session: Session, scope: Scope, model: type[Resource], identifier: str) -> Resource:
    """What the caller may change by that id: it is in this tenant. The row is locked. Raises ``NotFound``."""
    statement = select(model).where(model.id == identifier, scope.own(model)).with_for_update(of=model)
    return _first(session, statement, model, identifier)


def _first(session: Session, statement: Select[Resource], model: type[Resource], identifier: str) -> Resource:
    found: Resource | None = session.scalars(statement).first() if "\0" not in identifier else None
    if found is None:
        raise NotFound.of(model.__name__, identifier)
    return found


def tenant_name(model: type[Owned]) -> ColumnElement[str]:
    """The name of a resource's tenant, for lists."""
    return select(Tenant.name).where(Tenant.id == model.tenant_id).correlate(model).scalar_subquery()


def created_by(model: type[Owned]) -> ColumnElement[str]:
    """The name of who made a resource, for lists."""
    return select(User.username).where(User.id == model.creator_id).correlate(model).scalar_subquery()


def check_visibility(scope: Scope, visibility: str) -> None:
    """Raise ``BadParameters`` for what is none, and ``Forbidden`` for one that the caller may not give."""
    if visibility not in VISIBILITIES:
        raise BadParameters(
            f"Invalid visibility: `{visibility}`. Valid visibility values: {', '.join(VISIBILITIES)}"
        )
    if visibility == "global" and not scope.sees_private:
        raise Forbidden(f"User `{scope.caller.username}` is not permitted to make a resource global")


def check_unique(
    session: Session, scope: Scope, model: type[Owned], identifier: str, visibility: str
) -> None:
    """Raise ``Conflict`` where one name would mean two things: a global one is alone in all tenants.

    Within a tenant the database itself sees to it.
    """
    rivals = select(model.pk).where(model.id == identifier, model.tenant_id != scope.tenant_id)
    if visibility != "global":
        rivals = rivals.where(model.visibility == "global")
    if session.scalar(rivals.limit(1)) is not None:
        raise Conflict(f"{model.__name__} with ID `{identifier}` already exists in another tenant")
