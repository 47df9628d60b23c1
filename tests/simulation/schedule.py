"""A clock that only moves when something happens, and actors that can be woken and frozen."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

Step = Callable[[], "float | None"]
"""Does one thing; returns in how many seconds to do the next, None to wait until woken."""


class Schedule:
    """What happens next, and when. Ties are broken by who came first, so a history can be repeated."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.steps = 0
        self._queue: list[tuple[float, int, Actor, int]] = []
        self._entries = 0

    def push(self, delay_s: float, actor: Actor, token: int) -> None:
        self._entries += 1
        heapq.heappush(self._queue, (self.now_s + delay_s, self._entries, actor, token))

    def run_one(self, until_s: float = float("inf")) -> bool:
        """Let the next actor take its step; False when there is none to take before ``until_s``."""
        while self._queue and self._queue[0][0] <= until_s:
            at_s, _, actor, token = heapq.heappop(self._queue)
            if token == actor.token:
                self.now_s = max(self.now_s, at_s)
                self.steps += 1
                actor.take_step()
                return True
        return False

    def read_clock(self) -> float:
        return self.now_s

    def run_for(self, seconds: float, check: Callable[[], None]) -> None:
        """Let everybody take their steps for a while, and check after each of them."""
        until_s = self.now_s + seconds
        while self.run_one(until_s):
            check()


class Actor:
    """Somebody who does one thing at a time. While frozen it does nothing, and goes on where it was then."""

    def __init__(self, schedule: Schedule, step: Step) -> None:
        self._schedule = schedule
        self._step = step
        self.token = 0
        self.frozen = False
        self._due_s: float | None = None

    def wake(self, delay_s: float = 0.0) -> None:
        """Have the next step in ``delay_s`` at the latest."""
        at_s = self._schedule.now_s + delay_s
        if self._due_s is not None and self._due_s <= at_s:
            return
        self._due_s = at_s
        if not self.frozen:
            self._enqueue()

    def stop(self) -> None:
        """Take no step until woken again."""
        self._due_s = None
        self.token += 1

    def freeze(self) -> None:
        self.frozen = True
        self.token += 1

    def thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            if self._due_s is not None:
                self._enqueue()

    def take_step(self) -> None:
        self._due_s = None
        delay_s = self._step()
        if delay_s is not None:
            self.wake(delay_s)

    def _enqueue(self) -> None:
        self.token += 1
        due_s = self._due_s or 0.0
        self._schedule.push(max(0.0, due_s - self._schedule.now_s), self, self.token)


class Pace:
    """How long things take and whether they go wrong: by chance, or, to tell a story, always the same."""

    def __init__(self, seed: int | None) -> None:
        self.random = random.Random(seed or 0)
        self._steady = seed is None

    def between(self, low_s: float, high_s: float) -> float:
        return low_s if self._steady else self.random.uniform(low_s, high_s)

    def happens(self, chance: float) -> bool:
        return not self._steady and self.random.random() < chance
