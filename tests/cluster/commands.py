"""The command lines, when what they refuse is part of the story."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 240.0
NO_MANAGER = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended. ``told``: what it printed as JSON; ``error``: what it said was wrong."""

    exit_code: int
    told: Any
    error: Mapping[str, Any]
    text: str

    @property
    def refusal(self) -> tuple[int, str | None]:
        """The exit code, and what the manager called the error (None: no manager said anything)."""
        return self.exit_code, self.error.get("error_code")

    @property
    def met_an_election(self) -> bool:
        """Whether the command was not even looked at, because no member led at that moment."""
        return self.exit_code == NO_MANAGER and "An election takes seconds" in self.text


def run(module: str, arguments: Sequence[str], variables: Mapping[str, str]) -> Answer:
    """Run one of the command lines with ``--json``."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, "--json"],
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    told, error = _parsed(done.stdout), _parsed(done.stderr[done.stderr.find("{") :])
    return Answer(done.returncode, told, (error or {}).get("error", {}), done.stdout + done.stderr)


def _parsed(text: str) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return None
