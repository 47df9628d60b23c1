"""The clock that leases are dated with: it goes on in suspend, and no one can set it."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now_s() -> float:
    """Seconds on ``CLOCK_BOOTTIME``."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@cache
def boot() -> str:
    """Which start of the machine the clock counts from: a time of an earlier one means nothing now."""
    return _BOOT_ID.read_text().strip()
