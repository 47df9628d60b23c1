"""The maintenance mode, on and off."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Response

from manager import maintenance as mode
from manager.dependencies import Admin, Caller, Database, Slot
from manager.errors import Unavailable
from manager.routes.json_route import router

maintenance = router()

AS_IT_WAS: dict[int | str, dict[str, Any]] = {304: {"description": "It was so already."}}


@maintenance.get("/maintenance")
def read_maintenance(_: Caller, storage: Database) -> dict[str, Any]:
    """Whether the manager is in maintenance mode, and what is waited for."""
    with storage.reading() as session:
        state = mode.look(session)
        if not state.is_unsettled:
            return state.answer
    try:
        with storage.noting() as session:
            return mode.settle(session, mode.look(session)).answer
    except Unavailable:
        return state.answer  # Who can be told can be told without it being written down.


@maintenance.post("/maintenance/activate", responses=AS_IT_WAS)
def activate(caller: Admin, storage: Database, slot: Slot) -> Any:
    """Start nothing new, and close the manager for changes when what runs has ended."""
    with storage.writing(slot) as session:
        state = mode.activate(session, caller.username)
        return state.answer if state else Response(status_code=HTTPStatus.NOT_MODIFIED)


@maintenance.post("/maintenance/deactivate", responses=AS_IT_WAS)
def deactivate(_: Admin, storage: Database, slot: Slot) -> Any:
    """Open the manager again."""
    with storage.writing(slot) as session:
        changed = mode.deactivate(session)
        answer = mode.look(session).answer
    return answer if changed else Response(status_code=HTTPStatus.NOT_MODIFIED)
