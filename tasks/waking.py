"""Asking for a tick at once, by its name: whoever wakes the loop need not import it."""

from __future__ import annotations

from tasks.app import app

TICK = "tick"
EXPIRES_S = 2

WAKING = "tick-is-waiting"
WAKING_MS = 500


def wake() -> None:
    """Enqueue a tick, unless one is waiting already: it will see what there is to see."""
    if app.backend.client.set(WAKING, 1, nx=True, px=WAKING_MS):
        app.send_task(TICK, expires=EXPIRES_S, ignore_result=True)


def awake() -> None:
    """Said by a tick that begins: what changes from now on needs another one."""
    app.backend.client.delete(WAKING)
