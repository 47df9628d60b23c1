"""Waiting for a manager to finish something, through failovers and restarts."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from cli.errors import REMOVED, CliError, NoManager, Rejected, TimedOut

POLL_INTERVAL_S = 0.5
"""The contract's clients ask every 3 s; a person at a terminal is glad of less, and it costs next to none."""

T = TypeVar("T")


class Deadline:
    """How long one command may take in all."""

    def __init__(
        self,
        timeout_s: float,
        look_with: str = "cfy cluster status",
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``look_with``: the command that tells later on what has become of it.

        ``tell`` says it once when nobody answers, and once when somebody does again.
        """
        self.timeout_s = timeout_s
        self.look_with = look_with
        self._tell = tell
        self.started_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.started_s

    def wait_for(self, question: Callable[[], T | None], what: str, interval_s: float | None = None) -> T:
        """Ask until there is an answer.

        A manager that does not answer, or does not lead, for a while is no reason to give up: services
        restart, leaders change. Raises ``TimedOut``, and whatever else the question raises.
        """
        last: CliError | None = None
        while True:
            try:
                answer = question()
            except (NoManager, Rejected) as error:
                if not _passes(error):
                    raise
                if last is None:
                    self._tell("No manager leads at this moment; waiting until one does.")
                last = error
            else:
                if last is not None:
                    self._tell("A manager leads again.")
                if answer is not None:
                    return answer
                last = None
            self._pause(what, last, POLL_INTERVAL_S if interval_s is None else interval_s)

    def send(self, request: Callable[[], T], what: str) -> T:
        """Send what may be sent twice until a leader takes or refuses it.

        Right after a machine has died the leader's Consul may be electing: it answers 503, and a moment later
        all is well. Raises ``TimedOut``, and whatever else the request raises.
        """
        while True:
            try:
                return request()
            except Rejected as error:
                if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                self._pause(what, error, POLL_INTERVAL_S)

    def _pause(self, what: str, last: CliError | None, interval_s: float) -> None:
        if self.elapsed_s + interval_s > self.timeout_s:
            because = f"\n{last.message}" if last else ""
            raise TimedOut(
                f"After {self.timeout_s:g} s {what}.{because}",
                f"It may still happen: look with {self.look_with}. --timeout sets how long to wait.",
            )
        time.sleep(interval_s)


def _passes(error: NoManager | Rejected) -> bool:
    if isinstance(error, NoManager):
        return not error.all_say(REMOVED)
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
