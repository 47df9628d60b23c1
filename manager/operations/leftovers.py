"""What an operation has started itself (``subprocess``), and what left when its worker was killed.

The kernel ends an operation with its worker, but nothing that it has started. So whatever an operation starts
carries its mark in the environment, and before an operation runs again what still carries its mark is ended.
What the code hides (with an environment of its own, or by a fork that executes nothing) is not found; where
systemd runs the service it ends all of it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from manager.operations.message import MARK, task_id
from manager.storage import Storage

log = logging.getLogger(__name__)

PROC = Path("/proc")
GONE_WITHIN_S = 5.0

UNDER_WAY = text("SELECT id, retries FROM operations WHERE state = 'started' AND id = ANY(:ids)")
"""Those that have begun, and are not answered: they are to run again, or have failed."""


def end_leftovers(storage: Storage) -> None:
    """End what operations have left that were under way when their worker died.

    What an operation started that has ended may stay for ever: a service, say. Raises ``Unavailable``.
    """
    marked = dict(_marked())
    if not marked:
        return
    ids = sorted({name.rpartition(".")[0] for name in marked.values()})
    with storage.reading() as session:
        under_way = {task_id(row.id, row.retries) for row in session.execute(UNDER_WAY, {"ids": ids})}
    for pid, name in marked.items():
        if name in under_way and _end(pid, name):
            log.warning("Process %d is ended: operation %s had left it behind.", pid, name)


def _marked() -> Iterator[tuple[int, str]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (name := _mark_of(entry)):
            yield int(entry.name), name


def _mark_of(entry: Path) -> str:
    """The mark of a process; empty when it has none, is another user's, or is gone."""
    try:
        variables = (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    begin = f"{MARK}=".encode()
    return next((each.removeprefix(begin).decode() for each in variables if each.startswith(begin)), "")


def _end(pid: int, name: str) -> bool:
    """Kill it, if it is still the one that was found, and wait until it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Asked again: with the handle open, the number cannot pass on to another process in between.
        if _mark_of(PROC / str(pid)) != name:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll(GONE_WITHIN_S * 1000)
        return True
    finally:
        os.close(handle)
