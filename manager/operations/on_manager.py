"""The world of an operation on the manager: the database is its fence, and what it asks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from cloudify.context import CloudifyContext

from manager.operations import fence
from manager.operations.code import built_in, code_of, find_built_in
from manager.operations.database import Database, DatabaseError
from manager.operations.endpoint import Begun, DatabaseEndpoint
from manager.operations.lines import Handler, Lines, Speaker
from manager.operations.message import Message
from manager.operations.reading import unit_of
from manager.operations.settings import OperationsSettings
from manager.operations.world import Function, NotStarted

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 3.0
"""For how long a database is asked again before an operation; it is a part of the operation's timeout."""

ASK_AGAIN_S = 0.2


class Manager:
    """Of one operation: see ``world.World``."""

    def __init__(self, settings: OperationsSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._started: fence.Started | None = None
        self._lines: Lines | None = None

    @contextmanager
    def code(self, message: Message) -> Iterator[Function | None]:
        """The function, in the manager or in the blueprint's archive."""
        name = message.context["task_name"]
        if known := built_in(name):
            yield find_built_in(known)
            return
        try:
            files = _patiently(lambda: fence.files_of(self._database, message))
        except DatabaseError as error:
            raise NotStarted(f"It was not started: the database did not answer: {error}") from error
        if files is None:
            yield None
            return
        content = unit_of(files).content(self._settings.folders)
        with code_of(content, (message.context.get("plugin") or {}).get("source")) as find:
            yield find(name)

    def start(self, message: Message, *, resumable: bool) -> bool:
        """The fence.

        A commit of unknown outcome is followed by the same question. When it is given up the row may say
        ``started``, but nothing runs: the engine, which is told so, stores it as ``sending`` anew.
        """
        node, asked_at = self._settings.node, datetime.now(UTC)
        try:
            started = _patiently(
                lambda: fence.start(self._database, message, node, asked_at, resumable=resumable)
            )
        except DatabaseError as error:
            raise NotStarted(f"It was not started: that could not be stored: {error}") from error
        if started is None:
            return False
        self._started = started
        self._lines = Lines(self._database, started, Speaker.of(message.context))
        return True

    def endpoint(self, ctx: CloudifyContext) -> Any:
        """The database, and the blueprint's files."""
        return DatabaseEndpoint(ctx, self._database, self._settings, self._begun)

    def log_handler(self) -> logging.Handler:
        """Lines of the execution."""
        return Handler(self._begun[1])

    def finish(self) -> None:
        """Write what it has said. Raises ``DatabaseError``."""
        self._begun[1].flush()

    @property
    def _begun(self) -> Begun:
        if self._started is None or self._lines is None:
            raise RuntimeError("It has not been started.")
        return self._started, self._lines


def _patiently(do: Callable[[], T]) -> T:
    """Do what can be done twice; a database that does not answer, or takes no writes, is asked again."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return do()
        except DatabaseError as error:
            if time.monotonic() > until_s:
                raise
            log.info("An operation waits for the database: %s", error)
        time.sleep(ASK_AGAIN_S)
