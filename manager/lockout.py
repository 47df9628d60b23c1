"""Lock-out: who gives wrong passwords in a row has to wait before the next one is looked at.

The count is in the database, so it survives a failover; a replica refuses before anybody is asked for a
password, so only the leader counts. A locked user costs no write, however many passwords are tried, and the
lock ends by itself: nobody is locked out for ever by what others try.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Update, case, func, or_, update

from manager.models import User
from manager.settings import LoginRules

NOBODY = 0
"""No user has this id. Whoever is not there is noted like everybody else, which changes no row."""


def is_locked(user: User) -> bool:
    """Whether the user is locked out at this moment."""
    return user.locked_until is not None and user.locked_until > datetime.now(UTC)


def unlock(user: User) -> None:
    """Let the user try again."""
    user.failed_logins, user.locked_until = 0, None


def login_worked(user_id: int) -> Update:
    """Note a right password. It matches no row when others have locked the user in the meantime."""
    return _of(user_id).values(last_login_at=func.now(), failed_logins=0)


def login_failed(user_id: int | None, rules: LoginRules) -> Update:
    """Note a wrong password; the last one of so many in a row locks. None: there is no such user.

    It is one statement, because passwords are tried at the same time as well.
    """
    failures = User.failed_logins + 1
    last = failures >= rules.failures_before_lock
    until = func.now() + timedelta(seconds=rules.lock_s)
    return _of(NOBODY if user_id is None else user_id).values(
        failed_logins=case((last, 0), else_=failures),
        locked_until=case((last, until), else_=User.locked_until),
    )


def _of(user_id: int) -> Update:
    return update(User).where(User.id == user_id, User.active, _open())


def _open() -> ColumnElement[bool]:
    return or_(User.locked_until.is_(None), User.locked_until <= func.now())
