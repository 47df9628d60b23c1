"""Lets a user in again, for root on the manager: ``python -m manager.rescue unlock|reset-password NAME``.

When the last administrator is locked out, or has lost his password, REST cannot help. It takes a database
that takes writes: that of the leader, or of a manager that is alone.
"""

from __future__ import annotations

import json
import os
import secrets
import sys

from sqlalchemy import exc, func, select
from sqlalchemy.orm import Session

from manager.gateway import load_config, settings_of
from manager.lockout import unlock
from manager.models import Token, User
from manager.password_policy import ADVICE, PasswordPolicy
from manager.passwords import Passwords
from manager.settings import Settings
from manager.storage import engine_for

PASSWORD_VARIABLE = "CLOUDIFY_ADMIN_PASSWORD"  # noqa: S105  # a name
PASSWORD_BYTES = 16
RESET = "reset-password"


class RescueError(Exception):
    """It cannot be done; the text says why."""


def rescue(settings: Settings, verb: str, username: str, given: str | None) -> str | None:
    """Unlock a user, or give him another password and activate him; the password, unless it was given.

    Raises ``RescueError``.
    """
    shortest = settings.logins.min_password_length
    made = secrets.token_urlsafe(max(PASSWORD_BYTES, shortest))
    password = (given or made) if verb == RESET else None
    if password and (wrong := PasswordPolicy(shortest).complaints(username, password)):
        raise RescueError(f"The password is refused: {'; '.join(wrong)}. {ADVICE}")
    engine = engine_for(settings.database, writers=1)
    try:
        with Session(engine) as session, session.begin():
            user = session.scalar(select(User).where(func.lower(User.username) == username.lower()))
            if user is None:
                raise RescueError(f"There is no user {username!r}.")
            unlock(user)
            if password:
                _set_password(session, user, password)
    except exc.InternalError as error:
        raise RescueError("This manager's database takes no writes. Do it on the one that leads.") from error
    except exc.OperationalError as error:
        raise RescueError("The database is not available: see cfy_manager status") from error
    finally:
        engine.dispose()
    return None if given else password


def _set_password(session: Session, user: User, password: str) -> None:
    user.password, user.active = Passwords().hash(password), True
    if token := session.scalar(select(Token).where(Token.user_id == user.id)):
        session.delete(token)
        session.flush()
    session.add(Token.fresh(user))


def main(arguments: list[str]) -> int:
    """Do it on the node that ``CLOUDIFY_CONFIG`` names; what came of it, or is wrong, is printed as JSON."""
    verb, username = arguments
    try:
        shown = rescue(settings_of(load_config()), verb, username, os.environ.get(PASSWORD_VARIABLE))
        told = {"password": shown}
    except RescueError as error:
        told = {"error": str(error)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
