"""How far a start or a join is, for those who wait for it: a file that anyone on this machine can read."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.clients.files import is_locked, write_atomically
from orchestrator.paths import Paths

Entries = list[dict[str, Any]]

STARTED = "started"
INTERRUPTED = "The work was interrupted before its end. Try again: what was begun will be undone first."


@dataclass(frozen=True, slots=True)
class Line:
    """One step. ``timestamp`` is in whole microseconds of Unix time; ``cursor`` asks for what came after."""

    message: str
    timestamp: int
    cursor: str


class Progress:
    """One start or join at a time: enqueued (``begin``), carried out (``running``), ended."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.state / "formation.jsonl"
        self._lock = paths.run / "formation.lock"

    def begin(self, message: str) -> None:
        """Forget the attempt before, and say that one is waiting to be carried out."""
        write_atomically(self._file, self._entry(message=message), durable=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold this while the work is done; whoever reads meanwhile can tell whether it is still alive."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if any("mark" in entry for entry in self._entries()):
                # Nobody has begun this attempt; what is on file belongs to the one before.
                self._file.unlink()
            self._append(mark=STARTED)
            yield
        finally:
            os.close(descriptor)

    def say(self, message: str) -> None:
        """Add a line."""
        self._append(message=message)

    def fail(self, error: str) -> None:
        """Say that the work has failed, and why."""
        self._append(mark="failed", error=error)

    def finish(self) -> None:
        """Say that the work is done."""
        self._append(mark="finished")

    def read(self, since: str | None = None) -> tuple[tuple[Line, ...], str | None]:
        """The lines after the cursor ``since``, and what went wrong, if something did.

        A cursor that is none is taken for the beginning.
        """
        entries = self._entries()
        after = int(since) if since is not None and since.isdigit() else 0
        lines = tuple(
            Line(entry["message"], entry["timestamp"], str(entry["timestamp"]))
            for entry in entries
            if "message" in entry and entry["timestamp"] > after
        )
        return lines, self._error(entries)

    def _error(self, entries: Entries) -> str | None:
        mark, error = _last_mark(entries)
        if mark == STARTED and not is_locked(self._lock):
            # It may have ended between the two looks, so this one decides.
            mark, error = _last_mark(self._entries())
            return INTERRUPTED if mark == STARTED else error
        return error

    def _append(self, **content: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        entry = self._entry(**content)
        with self._file.open("a") as file:
            file.write(entry)

    def _entry(self, **content: str) -> str:
        # A cursor is a timestamp, so no two entries may share one.
        newest = max((entry["timestamp"] for entry in self._entries()), default=0)
        return json.dumps({"timestamp": max(time.time_ns() // 1000, newest + 1), **content}) + "\n"

    def _entries(self) -> Entries:
        try:
            return [json.loads(line) for line in self._file.read_text().splitlines()]
        except FileNotFoundError:
            return []


def _last_mark(entries: Entries) -> tuple[str | None, str | None]:
    """How far the attempt is (None: it waits), and what went wrong."""
    last = next((entry for entry in reversed(entries) if "mark" in entry), {})
    return last.get("mark"), last.get("error")
