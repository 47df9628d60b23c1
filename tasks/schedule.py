"""What beat enqueues, and how often."""

from __future__ import annotations

from typing import Any

DAY_S = 24 * 3600.0


def beat_schedule(tick_interval_s: float) -> dict[str, dict[str, Any]]:
    """The table of periodic tasks. A tick that waited for longer than two intervals is worth nothing."""
    return {
        "tick": {
            "task": "tick",
            "schedule": tick_interval_s,
            # Beat does not know the task itself, and would wait for its result.
            "options": {"queue": "health", "expires": 2 * tick_interval_s, "ignore_result": True},
        },
        "certificates": {
            "task": "certificates.look",
            "schedule": DAY_S,
            "options": {"queue": "health", "expires": DAY_S, "ignore_result": True},
        },
    }
