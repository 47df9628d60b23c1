"""Users, and the one who is calling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi import Request
from sqlalchemy import exc, func, select
from sqlalchemy.orm import Session

from manager import pages
from manager.dependencies import Admin, Authenticator, Caller, Database, ListQuery, Slot
from manager.errors import BadParameters, Conflict, IllegalAction, NotFound
from manager.listing import Kind, timestamp
from manager.lockout import is_locked, unlock
from manager.models import ADMIN_ROLE, DEFAULT_ROLE, SYSTEM_ROLES, Role, Token, User
from manager.password_policy import ADVICE, PasswordPolicy
from manager.passwords import Passwords
from manager.routes.json_route import Body, Name, Password, router
from manager.routes.memberships import Belonging, roles_by_user

users = router()

TABLE = pages.Table(
    fields={
        "username": Kind.TEXT,
        "role": Kind.TEXT,
        "groups": Kind.OPAQUE,
        "tenants": Kind.OPAQUE,
        "active": Kind.BOOLEAN,
        "is_locked": Kind.OPAQUE,
        "last_login_at": Kind.TIME,
        "created_at": Kind.TIME,
        "group_system_roles": Kind.OPAQUE,
        "tenant_roles": Kind.OPAQUE,
    },
    columns={
        "username": User.__table__.c.username,
        "role": Role.__table__.c.name,
        "active": User.__table__.c.active,
        "last_login_at": User.__table__.c.last_login_at,
        "created_at": User.__table__.c.created_at,
    },
    name="username",
)


class NewUser(Body):
    """The body of ``PUT /users``."""

    username: Name
    password: Password
    role: str | None = None


class ChangedUser(Body):
    """The body of ``POST /users/NAME``: one of both."""

    password: Password | None = None
    role: str | None = None


class Activity(Body):
    """The body of ``POST /users/active/NAME``."""

    action: Literal["activate", "deactivate"]


@users.get("/user")
def read_caller(caller: Caller, storage: Database, query: ListQuery) -> dict[str, Any]:
    """The user who is calling."""
    return read_user(caller.username, caller, storage, query)


@users.get("/users")
def list_users(_: Admin, storage: Database, query: ListQuery) -> dict[str, Any]:
    """All users."""
    with storage.reading() as session:
        found, total = pages.from_table(session, select(User).join(User.role), TABLE, query)
        roles = roles_by_user(session, found)
        return query.answer([_shape(user, roles[user.id], get_data=query.get_data) for user in found], total)


@users.put("/users", status_code=201)
def create_user(request: Request, new: NewUser, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """A new user, who belongs to no tenant yet."""
    password = _hash(request, new.username, new.password)
    try:
        with storage.writing(slot) as session:
            user = User(username=new.username, password=password, role=_role(session, new.role))
            session.add(user)
            session.flush()
            session.add(Token.fresh(user))
            session.refresh(user)
            return _shape(user, (), get_data=False)
    except exc.IntegrityError as error:
        raise Conflict(f"User with ID `{new.username}` already exists") from error


@users.get("/users/{username}")
def read_user(username: str, caller: Caller, storage: Database, query: ListQuery) -> dict[str, Any]:
    """One user; everybody may look at himself."""
    caller.must_be_admin_or(username)
    query.check_include(TABLE.fields)
    with storage.reading() as session:
        user = by_name(session, username)
        return query.project(_shape(user, roles_by_user(session, [user])[user.id], get_data=query.get_data))


@users.post("/users/{username}")
def change_user(
    request: Request, username: str, change: ChangedUser, caller: Caller, storage: Database, slot: Slot
) -> dict[str, Any]:
    """A new password, which ends the user's token as well, or a new role."""
    caller.must_be_admin_or(username)
    if (change.password is None) == (change.role is None):
        raise BadParameters("Expected one of `password` and `role`")
    if change.password is not None:
        return _set_password(request, username, _hash(request, username, change.password), storage, slot)
    caller.must_be_admin()
    return _set_role(request, username, change.role, storage, slot)


@users.delete("/users/{username}")
def delete_user(
    username: str, caller: Admin, storage: Database, slot: Slot, authenticator: Authenticator
) -> dict[str, Any]:
    """Take a user away, from all tenants as well."""
    if username.lower() == caller.username.lower():
        raise IllegalAction("Nobody can delete himself")
    with storage.writing(slot) as session:
        user = by_name(session, username)
        _keep_an_admin(session, user)
        shape = _shape(user, roles_by_user(session, [user])[user.id], get_data=False)
        session.delete(user)
    authenticator.forget()
    return shape


@users.post("/users/active/{username}")
def activate_user(
    username: str,
    activity: Activity,
    caller: Admin,
    storage: Database,
    slot: Slot,
    authenticator: Authenticator,
) -> dict[str, Any]:
    """Let a user in again, who was shut out or is locked, or shut him out."""
    active = activity.action == "activate"
    if not active and username.lower() == caller.username.lower():
        raise IllegalAction("Nobody can deactivate himself")
    with storage.writing(slot) as session:
        user = by_name(session, username)
        if user.active == active and not (active and is_locked(user)):
            raise Conflict(f"User `{user.username}` is already {'active' if active else 'inactive'}")
        if not active:
            _keep_an_admin(session, user)
        user.active = active
        unlock(user)
        shape = _shape(user, roles_by_user(session, [user])[user.id], get_data=False)
    authenticator.forget()
    return shape


@users.post("/users/unlock/{username}")
def unlock_user(request: Request, username: str, _: Admin, storage: Database, slot: Slot) -> dict[str, Any]:
    """Let somebody try again who gave a wrong password too often."""

    def change(_: Session, user: User) -> None:
        unlock(user)

    return _changed(request, username, change, storage, slot)


def by_name(session: Session, username: str) -> User:
    """The user. Raises ``NotFound``."""
    user = None
    if "\0" not in username:
        user = session.scalar(select(User).where(func.lower(User.username) == username.lower()))
    if user is None:
        raise NotFound.of("User", username)
    return user


def _set_password(
    request: Request, username: str, password: str, storage: Database, slot: Slot
) -> dict[str, Any]:
    def change(session: Session, user: User) -> None:
        user.password = password
        unlock(user)
        token = session.scalar(select(Token).where(Token.user_id == user.id))
        if token is not None:
            session.delete(token)
            session.flush()
        session.add(Token.fresh(user))

    return _changed(request, username, change, storage, slot)


def _set_role(
    request: Request, username: str, name: str | None, storage: Database, slot: Slot
) -> dict[str, Any]:
    def change(session: Session, user: User) -> None:
        role = _role(session, name)
        if role.name != ADMIN_ROLE:
            _keep_an_admin(session, user)
        user.role = role

    return _changed(request, username, change, storage, slot)


def _changed(
    request: Request,
    username: str,
    change: Callable[[Session, User], None],
    storage: Database,
    slot: Slot,
) -> dict[str, Any]:
    with storage.writing(slot) as session:
        user = by_name(session, username)
        change(session, user)
        session.flush()
        shape = _shape(user, roles_by_user(session, [user])[user.id], get_data=False)
    request.app.state.authenticator.forget()
    return shape


def _hash(request: Request, username: str, password: str) -> str:
    """A new password as it is stored. Raises ``BadParameters`` when it is none to protect anything with."""
    policy: PasswordPolicy = request.app.state.password_policy
    passwords: Passwords = request.app.state.passwords
    if complaints := policy.complaints(username, password):
        raise BadParameters(f"The password is refused: {'; '.join(complaints)}. {ADVICE}")
    return passwords.hash(password)


def _role(session: Session, name: str | None) -> Role:
    name = name or DEFAULT_ROLE
    role = session.scalar(select(Role).where(Role.name == name)) if name in SYSTEM_ROLES else None
    if role is None:
        raise BadParameters(f"Invalid role: `{name}`. Valid system roles: {', '.join(SYSTEM_ROLES)}")
    return role


def _keep_an_admin(session: Session, user: User) -> None:
    """Raise ``IllegalAction`` when ``user`` is the last one who may do everything."""
    admins = select(User.id).join(User.role).where(Role.name == ADMIN_ROLE, User.active)
    # The rows are locked, so that of two administrators who remove each other only one succeeds.
    if set(session.scalars(admins.with_for_update(of=User))) == {user.id}:
        raise IllegalAction(f"User `{user.username}` is the last active administrator")


def _shape(user: User, roles: Belonging, *, get_data: bool) -> dict[str, Any]:
    direct = dict(roles)
    shape: dict[str, Any] = {
        "username": user.username,
        "role": user.role.name,
        "groups": [] if get_data else 0,
        "tenants": {tenant: [role] for tenant, role in roles} if get_data else len(direct),
        "active": user.active,
        "is_locked": is_locked(user),
        "last_login_at": timestamp(user.last_login_at),
        "created_at": timestamp(user.created_at),
        "group_system_roles": {},
    }
    return shape | ({"tenant_roles": {"direct": direct, "groups": {}}} if get_data else {})
