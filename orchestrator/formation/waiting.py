"""Waiting for something outside, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from orchestrator.model.errors import Unavailable, Unfinished

T = TypeVar("T")

POLL_S = 0.1


def until(condition: Callable[[], T | None], timeout_s: float, what: str, poll_s: float = POLL_S) -> T:
    """The first true value of ``condition``, which may also say that something is unavailable meanwhile.

    Raises ``Unfinished`` with ``what`` was waited for, and the last thing that was wrong with it.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        trouble = ""
        try:
            if value := condition():
                return value
        except (Unavailable, Unfinished) as error:
            trouble = f" ({error})"
        if time.monotonic() > deadline_s:
            raise Unfinished(f"Not within {timeout_s:g} s: {what}{trouble}")
        time.sleep(poll_s)
