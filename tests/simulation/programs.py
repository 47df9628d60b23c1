"""The product's own programs, run as coroutines that can be frozen and killed at every call of a client."""

from __future__ import annotations

from collections.abc import Callable

from greenlet import GreenletExit, getcurrent, greenlet

from tests.simulation.schedule import Actor, Schedule


def nap(delay_s: float | None) -> None:
    """Give way to the rest of the world, from within a program; None: until somebody wakes this program."""
    getcurrent().parent.switch(delay_s)


class Program:
    """One process of a machine. Its body is ordinary code of the product that knows nothing of all this."""

    def __init__(self, schedule: Schedule, body: Callable[[], None]) -> None:
        self.actor = Actor(schedule, self._step)
        self._body = body
        self._running: greenlet | None = None

    @property
    def alive(self) -> bool:
        return self._running is not None

    @property
    def is_at_work(self) -> bool:
        """Whether it is this program that asks."""
        return self._running is getcurrent()

    def start(self, delay_s: float) -> None:
        self.kill()
        self._running = greenlet(self._body)
        self.actor.wake(delay_s)

    def kill(self) -> None:
        """End it where it is (SIGKILL): what it has done is done, the rest never happens."""
        victim, self._running = self._running, None
        self.actor.stop()
        self.actor.thaw()
        if victim is not None and not victim.dead and victim:
            victim.throw(GreenletExit)

    def _step(self) -> float | None:
        running = self._running
        if running is None:
            return None
        delay_s = running.switch()
        if running.dead and self._running is running:
            self._running = None
            return None
        return delay_s
