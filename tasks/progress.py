"""Whether something is being carried out, also in the moment between two actions of a plan.

Kept in the node's Redis, with a short life: if the worker is killed, what it did is not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.app import CLUSTER, FILES, app, config
from tasks.exclusive import exclusively

BETWEEN_TWO_ACTIONS_MS = 1500
"""The next action of a plan begins within this time, or it never will."""


@dataclass(frozen=True, slots=True)
class Line:
    """Actions that are carried out one at a time: their queue, and the lock that each of them holds."""

    queue: str
    lock: Path

    def actions_done(self) -> int:
        """How many actions have come to their end, well or not, since this node's Redis started."""
        return int(app.backend.client.get(self._done) or 0)

    def begins(self) -> bool:
        """Say that a plan begins; False when another one is under way."""
        return bool(app.backend.client.set(self._under_way, 1, nx=True, px=BETWEEN_TWO_ACTIONS_MS))

    def goes_on(self) -> None:
        """Say that an action of the plan is done, and the next one may begin."""
        app.backend.client.set(self._under_way, 1, px=BETWEEN_TWO_ACTIONS_MS)
        app.backend.client.incr(self._done)

    def ended(self) -> None:
        """Say that the plan has come to its end, well or not."""
        app.backend.client.delete(self._under_way)
        app.backend.client.incr(self._done)

    def is_busy(self) -> bool:
        """Whether a plan was begun and has not come to its end, or waits in the queue."""
        if app.backend.client.exists(self._under_way):
            return True
        with exclusively(self.lock, wait=False) as free:
            if not free:
                return True
        with app.connection_for_read() as connection:
            return bool(connection.default_channel.client.llen(self.queue))

    @property
    def _done(self) -> str:
        return f"{self.queue}-actions-done"

    @property
    def _under_way(self) -> str:
        return f"{self.queue}-plan-under-way"


CHAIN = Line(CLUSTER, config.paths.run / "actions.lock")
BESIDE = Line(FILES, config.paths.files_lock)
"""Files: what is done about them takes long, and must not hold up anything else."""
