"""Tokens of executions: with one, an agent asks the REST service for what its operations need.

One is made when an engine sends an agent something of an execution for the first time, and is good for as
long as the execution is active. Only its digest is stored.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.models import ACTIVE_STATUSES, Execution, ExecutionToken, Tenant
from manager.slots import WriteSlot
from manager.storage import Storage

TOKEN_BYTES = 32
REMEMBERED = 10_000


class Tokens:
    """Of one engine. What was made before is not known any more: an execution can have several."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._made: dict[str, str] = {}

    def of(self, execution_id: str, tenant: str) -> str:
        """A token of that execution. Raises ``Unavailable``, ``OutcomeUnknown``."""
        key = f"{tenant}\0{execution_id}"
        if key not in self._made:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            with self._storage.writing(WriteSlot()) as session:
                self._made[key] = issue(session, execution_id, tenant)
        return self._made[key]


def issue(session: Session, execution_id: str, tenant: str) -> str:
    """A new token; worthless when there is no such execution, or the transaction is not committed."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    own = select(Execution.pk).join(Tenant, Tenant.id == Execution.tenant_id)
    pk = session.scalar(own.where(Execution.id == execution_id, Tenant.name == tenant))
    if pk is not None:
        session.add(ExecutionToken(digest=digest(token), execution_pk=pk))
        session.flush()
    return token


def execution_of(session: Session, token: str) -> Execution | None:
    """The active execution that it belongs to."""
    found: Execution | None = session.scalar(
        select(Execution)
        .join(ExecutionToken, ExecutionToken.execution_pk == Execution.pk)
        .where(ExecutionToken.digest == digest(token), Execution.status.in_(ACTIVE_STATUSES))
    )
    return found


def digest(token: str) -> str:
    """As it is stored. It is random and long: a plain hash of it tells nothing."""
    return hashlib.sha256(token.encode()).hexdigest()
