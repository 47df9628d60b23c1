"""The caller's token."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from manager.dependencies import Caller, Database
from manager.errors import NotFound
from manager.models import Token
from manager.routes.json_route import router

tokens = router()


@tokens.get("/tokens")
def read_token(caller: Caller, storage: Database) -> dict[str, Any]:
    """The same token at every call; it ends when the password is changed."""
    with storage.reading() as session:
        token = session.scalar(select(Token).where(Token.user_id == caller.user_id))
        if token is None:
            raise NotFound.of("Token", caller.username)
        value = token.value
    return {"username": caller.username, "value": value, "role": caller.role}
