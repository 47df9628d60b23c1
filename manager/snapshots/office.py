"""Where the REST service has snapshots made and restored, and finds out that somebody has died of it."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy.orm import Session

from manager.errors import OutcomeUnknown, Unavailable
from manager.files import Folders
from manager.routes.executions import shape
from manager.slots import WriteSlot
from manager.snapshots import labour
from manager.snapshots.labour import Order
from manager.storage import Storage
from manager.tenancy import Scope

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0


class Office:
    """Starts a process for each execution. Its methods are for threads, but for ``keep_looking``."""

    def __init__(self, storage: Storage, folders: Folders) -> None:
        self._storage = storage
        self._folders = folders
        self._processes: list[subprocess.Popen[bytes]] = []

    def begin(
        self, scope: Scope, order: Order, slot: WriteSlot, prepare: Callable[[Session], None] = lambda _: None
    ) -> dict[str, Any]:
        """Begin an execution, and start whoever works on it. ``prepare`` writes or checks what else is due.

        Raises what it raises, ``ExistingRunningExecution``, and ``Unavailable`` when no process starts.
        """
        execution_id = labour.new_id()
        descriptor = labour.claim(self._folders, execution_id)
        lock = labour.lock_of(self._folders, execution_id)
        try:
            with self._storage.writing(slot) as session:
                prepare(session)
                begun = shape(labour.begin(session, scope, order, execution_id))
            self._start(execution_id, descriptor)
        except BaseException:
            lock.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return begun

    def _start(self, execution_id: str, descriptor: int) -> None:
        command = [sys.executable, "-m", "manager.snapshots", execution_id]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=(descriptor,), start_new_session=True
            )
        except OSError as error:
            labour.Progress(self._storage, execution_id).fail(f"No process could be started for it: {error}")
            raise Unavailable("The manager could not start a process; see its log.") from error
        self._processes.append(process)

    def look(self) -> None:
        """Once: has anybody died? Never raises what a database does that is not there."""
        self._processes = [process for process in self._processes if process.poll() is None]
        try:
            labour.bury(self._storage, self._folders)
        except (Unavailable, OutcomeUnknown) as error:
            log.info("It could not be looked after the executions of snapshots: %s", error)

    async def keep_looking(self, serves: Callable[[], bool]) -> None:
        """From now on, whenever this manager serves."""
        thread = anyio.CapacityLimiter(1)
        while True:
            if serves():
                await anyio.to_thread.run_sync(self.look, limiter=thread, abandon_on_cancel=True)
            await asyncio.sleep(LOOK_EVERY_S)
