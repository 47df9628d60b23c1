"""The processes of workflows that come with a blueprint: one for each execution; none outlives its engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a workflow function ended."""

    outcome: str
    error: str | None


class WorkflowProcess:
    """``python -m manager.workflows.custom EXECUTION``; its standard input is open for as long as we live."""

    def __init__(self, execution_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "manager.workflows.custom", execution_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._process.stdout is not None:
            os.set_blocking(self._process.stdout.fileno(), False)
        self._said = b""

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""
        stdout = self._process.stdout
        self._said += (stdout.read() or b"") if stdout is not None else b""
        code = self._process.poll()
        if code is None:
            return None
        self._said += (stdout.read() or b"") if stdout is not None else b""
        self._close()
        return _parse(self._said) or Outcome("failed", f"The process of the workflow has ended ({code}).")

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _parse(said: bytes) -> Outcome | None:
    try:
        told = json.loads(said.splitlines()[-1])
        outcome = Outcome(told["outcome"], told["error"])
    except (ValueError, LookupError, TypeError):
        return None
    return outcome if outcome.outcome in ENDED else None
