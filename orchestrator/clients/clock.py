"""The clock that leases are dated with: it goes on in suspend, and no one can set it."""

from __future__ import annotations

import time


def now_s() -> float:
    """Seconds on ``CLOCK_BOOTTIME``."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
