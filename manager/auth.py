"""Who is calling, and in which tenant.

Basic and token authentication. Clients encode Basic credentials in the URL-safe alphabet of base64, others
in the usual one: both are understood.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, func, select
from sqlalchemy.orm import Session

from manager.agents.tokens import execution_of
from manager.errors import Forbidden, Unauthorized, Unavailable
from manager.lockout import is_locked, login_failed, login_worked
from manager.models import ADMIN_ROLE, Membership, Tenant, Token, User
from manager.passwords import Passwords
from manager.settings import LoginRules
from manager.storage import Storage

TOKEN_HEADER = "authentication-token"  # noqa: S105  # a name
EXECUTION_TOKEN_HEADER = "execution-token"  # noqa: S105  # a name
TENANT_HEADER = "tenant"
REMEMBER_CALLER_S = 900.0
REMEMBERED_CALLERS = 256


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought: a user's name and password, his token, or that of an execution of his."""

    username: str = ""
    password: str = ""
    token: str = ""
    execution_token: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user who was recognised. ``execution``: the one that acts in his name, in its own tenant alone."""

    user_id: int
    username: str
    role: str
    execution: str | None = None

    @property
    def is_admin(self) -> bool:
        """Whether everything is allowed."""
        return self.role == ADMIN_ROLE and self.execution is None

    @property
    def rules_tenant(self) -> bool:
        """Whether whatever is in the tenant of the execution may be read and changed."""
        return self.role == ADMIN_ROLE and self.execution is not None

    def must_be_admin(self) -> None:
        """Raise ``Forbidden`` for anybody else."""
        if not self.is_admin:
            raise Forbidden(f"User `{self.username}` is not permitted to perform this action")

    def must_be_admin_or(self, username: str) -> None:
        """Raise ``Forbidden`` for anybody but an administrator and the user himself."""
        if self.username.lower() != username.lower():
            self.must_be_admin()


def read_credentials(headers: Mapping[str, str]) -> Credentials:
    """The credentials of a request. Raises ``Unauthorized`` when there are none that can be read."""
    if token := headers.get(TOKEN_HEADER):
        return Credentials(token=token)
    if token := headers.get(EXECUTION_TOKEN_HEADER):
        return Credentials(execution_token=token)
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized("No authentication info provided")
    username, separator, password = _decode(encoded.strip()).partition(":")
    if not separator or not username or "\0" in username:
        raise Unauthorized("The Basic credentials are not of the form username:password")
    return Credentials(username, password)


def _decode(text: str) -> str:
    usual = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(usual + "=" * (-len(usual) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Unauthorized("The Basic credentials are not base64 of UTF-8 text") from None


class Authenticator:
    """Recognises callers by the database. Safe for threads."""

    def __init__(
        self,
        storage: Storage,
        passwords: Passwords,
        rules: LoginRules,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._passwords = passwords
        self._rules = rules
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._seen: dict[bytes, tuple[float, Caller]] = {}

    def recognise(self, given: Credentials, tenant: str | None = None) -> Caller:
        """The caller, who may act in ``tenant``. Raises ``Unauthorized``, ``Forbidden``, ``Unavailable``."""
        if given.execution_token:
            return self._recognise_execution(given.execution_token, tenant)
        with self._storage.reading() as session:
            user = _by_token(session, given.token) if given.token else _by_name(session, given.username)
            member = _membership(session, user, tenant) if user and tenant else False
        caller = self._checked(user, given)
        if tenant:
            _check_tenant(caller, tenant, member)
        if len(self._seen) >= REMEMBERED_CALLERS:
            self._seen.clear()
        self._seen[self._digest(given)] = (self._clock(), caller)
        return caller

    def _recognise_execution(self, token: str, tenant: str | None) -> Caller:
        """Who started the execution, in its tenant. He may have been shut out since."""
        with self._storage.reading() as session:
            execution = execution_of(session, token)
            user = session.get(User, execution.creator_id) if execution and execution.creator_id else None
            if execution is None:
                raise Unauthorized("The execution token is not valid, or its execution is over")
            if user is None or not user.active:
                raise Forbidden("Whoever started the execution is no active user any more")
            if tenant != execution.tenant_name:
                raise Forbidden(f"The execution token is not valid in the tenant `{tenant}`")
            member = _membership(session, user, tenant)
            caller = Caller(user.id, user.username, user.role.name, execution.id)
        if not member and not caller.rules_tenant:
            raise Forbidden(f"User `{caller.username}` is not permitted in the tenant `{tenant}`")
        return caller

    def recognise_without_database(self, given: Credentials) -> Caller:
        """The caller, if the same credentials were right a short time ago.

        The database is down while a node joins or its cluster is mended, which is just when an administrator
        looks at the cluster. Raises ``Unavailable``.
        """
        seen_at_s, caller = self._seen.get(self._digest(given), (float("-inf"), None))
        if caller is None or self._clock() - seen_at_s > REMEMBER_CALLER_S:
            raise Unavailable("The database is not available, so nobody can be recognised.")
        return caller

    def forget(self) -> None:
        """Forget who was seen, because users have changed."""
        self._seen.clear()

    def _checked(self, user: User | None, given: Credentials) -> Caller:
        if not given.token:
            self._check_password(user, given)
        if user is None or not user.active:
            raise _unauthorized(given)
        return Caller(user.id, user.username, user.role.name)

    def _check_password(self, user: User | None, given: Credentials) -> None:
        """The same refusal, after the same work, whatever is wrong.

        Nobody shall learn which names exist, nor whether he has guessed the password of a user who may not
        use it: that one is compared with nobody's.
        """
        admitted = user if user is not None and user.active and not is_locked(user) else None
        stored = admitted.password if admitted else None
        known = stored is not None and self._passwords.remembered(stored, given.password)
        right = known or self._passwords.verify(stored, given.password)
        if admitted is None or not known or admitted.failed_logins:
            right = self._note_login(admitted, right=right)
        if not right:
            raise _unauthorized(given)

    def _note_login(self, user: User | None, *, right: bool) -> bool:
        """Note how it went; whether it still is a login. Nobody is noted like a user, but in no row."""
        if not right and not self._rules.failures_before_lock:
            return False
        noted = (
            login_worked(user.id) if user and right else login_failed(user.id if user else None, self._rules)
        )
        try:
            with self._storage.noting() as session:
                changed = cast("CursorResult[Any]", session.execute(noted)).rowcount
        except Unavailable:
            return right  # Whoever may log in can do so while the database takes no writes.
        # Of many passwords tried at once, one that was right after the lock has come too late.
        return right and bool(changed)

    def _digest(self, given: Credentials) -> bytes:
        text = f"{given.username}\0{given.password}\0{given.token}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()


def _by_name(session: Session, username: str) -> User | None:
    return session.scalar(select(User).where(func.lower(User.username) == username.lower()))


def _by_token(session: Session, value: str) -> User | None:
    identifier, _, secret = value.partition("-")
    token = session.get(Token, identifier) if identifier.isalnum() and identifier.isascii() else None
    if token is None or not hmac.compare_digest(token.secret.encode(), secret.encode()):
        return None
    return session.get(User, token.user_id)


def _membership(session: Session, user: User, tenant: str) -> bool | None:
    """Whether the user belongs to the tenant; None: there is no such tenant."""
    if "\0" in tenant:
        return None
    belongs = select(Membership.user_id).where(
        Membership.tenant_id == Tenant.id, Membership.user_id == user.id
    )
    return session.scalar(select(belongs.exists()).where(Tenant.name == tenant))


def _check_tenant(caller: Caller, tenant: str, member: bool | None) -> None:  # noqa: FBT001  # an answer
    if member is None:
        raise Forbidden(f"Authorization failed: there is no tenant `{tenant}`")
    if not member and not caller.is_admin:
        raise Forbidden(f"User `{caller.username}` is not permitted in the tenant `{tenant}`")


def _unauthorized(given: Credentials) -> Unauthorized:
    if given.token:
        return Unauthorized("The token is not valid")
    return Unauthorized("User unauthorized: wrong username or password, or the user is inactive or locked")
