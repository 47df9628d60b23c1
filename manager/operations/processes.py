"""Ending a process with all that it has started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path
from typing import NoReturn

PROC = Path("/proc")
PR_SET_PDEATHSIG = 1
ROUNDS = 20
MAX_DESCRIPTORS = 4096

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends, however that ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Warden:
    """Kills a process group when this process ends before it has dismissed the warden, however it ends.

    It is a process of its own. What it does before it ends is but a few calls of the system: this process may
    have threads, and in a copy of it they are gone with whatever they hold.
    """

    def __init__(self, group: int) -> None:
        reading, self._writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _watch(reading, group)
        os.close(reading)

    def dismiss(self) -> None:
        """The group may live. A second time nothing happens."""
        if self._pid:
            os.write(self._writing, b"!")
            os.close(self._writing)
            os.waitpid(self._pid, 0)
            self._pid = 0


def _watch(reading: int, group: int) -> NoReturn:
    try:
        # Away from the group of its parent, which may be killed as a whole, and from all that it has open.
        os.setsid()
        os.closerange(0, reading)
        os.closerange(reading + 1, MAX_DESCRIPTORS)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        if not os.read(reading, 1):
            os.killpg(group, signal.SIGKILL)
    finally:
        os._exit(0)


def end_tree(pid: int) -> None:
    """Kill a child of this process that has not been waited for, and its descendants.

    What was made to outlive its parents on purpose is a descendant no longer, and is left alone; but all that
    is still in the process group of one of the descendants ends with it.
    """
    # What is stopped can start nothing more while it is looked for.
    _signal(pid, signal.SIGSTOP)
    own = {os.getpgrp(), _group(pid)}
    ended: set[int] = set()
    for _ in range(ROUNDS):
        found = descendants(pid) - ended
        if not found:
            break
        for child in found:
            _signal(child, signal.SIGSTOP)
        for child in found:
            if (group := _group(child)) == child and group not in own:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            _signal(child, signal.SIGKILL)
        ended |= found
    _signal(pid, signal.SIGKILL)


def descendants(pid: int) -> set[int]:
    """The children of a process, theirs, and so on, at this moment."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        more = children.get(waiting.pop(), [])
        found.update(more)
        waiting.extend(more)
    return found


def _parent(entry: Path) -> int | None:
    try:
        text = (entry / "stat").read_text()
    except OSError:
        return None
    # The name of the program, in brackets, may contain anything. A zombie (Z) has nothing left to end.
    state, parent = text.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
