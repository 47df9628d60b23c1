"""Whether a plan is being carried out, also in the moment between two of its actions.

Kept in the node's Redis, with a short life: if the worker is killed, the plan is not waited for.
"""

from __future__ import annotations

from tasks.app import app

UNDER_WAY, DONE = "plan-under-way", "actions-done"

BETWEEN_TWO_ACTIONS_MS = 1500
"""The next action of a plan begins within this time, or it never will."""


def actions_done() -> int:
    """How many actions of this node have come to their end, well or not, since its Redis started."""
    return int(app.backend.client.get(DONE) or 0)


def is_under_way() -> bool:
    """Whether a plan was begun, and has not come to its end."""
    return bool(app.backend.client.exists(UNDER_WAY))


def begins() -> bool:
    """Say that a plan begins; False when another one is under way."""
    return bool(app.backend.client.set(UNDER_WAY, 1, nx=True, px=BETWEEN_TWO_ACTIONS_MS))


def goes_on() -> None:
    """Say that an action of the plan is done, and the next one may begin."""
    app.backend.client.set(UNDER_WAY, 1, px=BETWEEN_TWO_ACTIONS_MS)
    app.backend.client.incr(DONE)


def ended() -> None:
    """Say that the plan has come to its end, well or not."""
    app.backend.client.delete(UNDER_WAY)
    app.backend.client.incr(DONE)
