"""The processes of workflows that come with a blueprint: one for each execution; none outlives its engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

ENDED = ("succeeded", "failed", "cancelled")
MOST = 40
STILL_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a workflow function ended."""

    outcome: str
    error: str | None


class Room:
    """Lets so many processes run at a time: each takes some 50 MiB, and a failover may begin hundreds.

    A workflow may wait for another one, which waits for room. So when nobody has come or gone for
    ``STILL_S``, one more is let in.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._inside, self._changed_s = 0, clock()

    def enter(self) -> bool:
        """Whether one more may begin now; then it counts until it leaves."""
        if self._inside >= self._most and self._clock() - self._changed_s < STILL_S:
            return False
        self._change(+1)
        return True

    def leave(self) -> None:
        """One has ended."""
        self._change(-1)

    def _change(self, by: int) -> None:
        self._inside += by
        self._changed_s = self._clock()


class WorkflowProcess:
    """``python -m manager.workflows.custom EXECUTION``; its standard input is open for as long as we live."""

    def __init__(self, execution_id: str, room: Room) -> None:
        self._execution_id, self._room = execution_id, room
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""

    def has_begun(self) -> bool:
        """Begin, if that has not been done and there is room. Whether it runs, or has run."""
        if self._process is None and self._room.enter():
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "manager.workflows.custom", self._execution_id],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            except OSError:
                self._room.leave()
                raise
            if self._process.stdout is not None:
                os.set_blocking(self._process.stdout.fileno(), False)
        return self._process is not None

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs, or waits for room."""
        if self._process is None:
            return None
        stdout = self._process.stdout
        self._said += (stdout.read() or b"") if stdout is not None else b""
        code = self._process.poll()
        if code is None:
            return None
        self._said += (stdout.read() or b"") if stdout is not None else b""
        self._close(self._process)
        return _parse(self._said) or Outcome("failed", f"The process of the workflow has ended ({code}).")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close(self._process)

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        self._room.leave()


def _parse(said: bytes) -> Outcome | None:
    try:
        told = json.loads(said.splitlines()[-1])
        outcome = Outcome(told["outcome"], told["error"])
    except (ValueError, LookupError, TypeError):
        return None
    return outcome if outcome.outcome in ENDED else None
