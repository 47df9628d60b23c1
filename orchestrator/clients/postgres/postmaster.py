"""The postmaster: the one process whose signals stop, reload and fence a whole PostgreSQL server.

The lease guard depends on this module, so it needs nothing but the standard library.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_HANGUP_BIT = 1 << (signal.SIGHUP - 1)


class Postmaster:
    """The server of one data folder, found through its ``postmaster.pid``."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def pid(self) -> int | None:
        """Its process id, or None when no server runs here.

        The file outlives a crash, and the number in it may belong to a stranger by now. So the process must
        work in this data folder, and must not be a child of an earlier server.
        """
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            ours = Path(f"/proc/{pid}/cwd").samefile(self._data)
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        is_server = Path(os.fsdecode(arguments[0])).name in ("postgres", "postmaster")
        return pid if ours and is_server else None

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to the postmaster; False when none runs."""
        pid = self.pid()
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def destroy(self) -> None:
        """Kill the postmaster and its children, which cannot resist, not even when they are suspended."""
        pid = self.pid()
        if pid is None:
            return
        for victim in (pid, *_children(pid)):
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue


def sleeps_without_news(pid: int) -> bool:
    """Whether a process is asleep and has been told of every reload so far.

    A server process that has been told of a reload does not go to sleep again before it has read the new
    configuration: the signal's handler sets its latch, and a latch that is set ends every sleep.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return True  # It is gone, and will read nothing any more.
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    pending = int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)
    return fields["State"].startswith("S") and not pending & _HANGUP_BIT


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
