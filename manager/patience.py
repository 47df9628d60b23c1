"""Bounds on what waiting writes may cost.

With too few replicas a commit waits for as long as it takes, and it may not be cancelled: PostgreSQL would
then show to everybody what may yet be lost. So it is left waiting in its thread. But only so many at a time,
so that reading goes on, and its client is let go after a while by closing the connection: neither success nor
failure would be true.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request

from manager.errors import Unavailable
from manager.refusals import ABORT
from manager.slots import WriteSlot

WRITERS = 8
LOOK_EVERY_S = 0.25


class Patience:
    """Hands out the slots. ``limit_s``: for how long a client waits for a slot, and then for its commit."""

    def __init__(self, limit_s: float, writers: int = WRITERS) -> None:
        self._limit_s = limit_s
        self._slots = asyncio.Semaphore(writers)

    async def slot(self, abort: Callable[[], None] | None) -> AsyncIterator[WriteSlot]:
        """One slot, free again when the request is over. Raises ``Unavailable``: nothing was written."""
        try:
            await asyncio.wait_for(self._slots.acquire(), self._limit_s)
        except TimeoutError:
            raise Unavailable("Writes wait for a replica to confirm them; try again later.") from None
        slot = WriteSlot()
        watch = asyncio.create_task(self._watch(slot, abort)) if abort else None
        try:
            yield slot
        finally:
            if watch:
                watch.cancel()
            self._slots.release()

    async def _watch(self, slot: WriteSlot, abort: Callable[[], None]) -> None:
        while not slot.overdue(self._limit_s):  # noqa: ASYNC110  # a thread sets it, at the price of an assignment
            await asyncio.sleep(min(LOOK_EVERY_S, self._limit_s))
        abort()


async def write_slot(request: Request) -> AsyncIterator[WriteSlot]:
    """The dependency of every route that writes."""
    patience: Patience = request.app.state.patience
    abort = request.scope.get("extensions", {}).get(ABORT)
    async for slot in patience.slot(abort):
        yield slot
