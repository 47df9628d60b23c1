"""The world of an operation on an agent: the ledger is its fence, and REST is what it asks."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from cloudify.context import CloudifyContext

from agent.blueprints import Blueprints
from agent.endpoint import RestEndpoint
from agent.ledger import Ledger
from agent.lines import Handler, Lines
from agent.rest import PATIENCE_S, Manager, RestFailed
from agent.settings import Folder
from manager.operations.code import built_in, code_of, find_built_in
from manager.operations.message import Message
from manager.operations.world import Function, NotStarted

log = logging.getLogger(__name__)

AWAITED = frozenset({"sending", "sent", "started"})
"""States of an operation whose answer is waited for. What an agent has begun, its own ledger knows."""

OVER = 401
GONE = frozenset({OVER, 404})
"""What the leader says when the execution is over, and its token with it, or the operation is not there."""


class Far:
    """Of one operation: see ``manager.operations.world.World``."""

    def __init__(
        self, folder: Folder, ledger: Ledger, message: Message, patience_s: float = PATIENCE_S
    ) -> None:
        """``patience_s``: for how long a leader is looked for."""
        context = message.context
        self._folder, self._ledger = folder, ledger
        tenant = (context.get("tenant") or {}).get("name") or ""
        token = context.get("execution_token") or ""
        self._manager = Manager(folder, tenant, token, patience_s)
        self._blueprints = Blueprints(folder, self._manager, tenant)
        # What is said waits for the leader in the ledger: the operation does not.
        self._lines = Lines(Manager(folder, tenant, token, patience_s=0), context)
        self._identity = (tenant, token)

    @contextmanager
    def code(self, message: Message) -> Iterator[Function | None]:
        """The function, of the agent itself or in the blueprint's archive.

        None: this is a second copy, or nobody wants it any more. That is asked before any code is looked for:
        to import a module is to run it.
        """
        if self._known(message) or not self._is_wanted(message):
            yield None
            return
        name = message.context["task_name"]
        if known := built_in(name):
            yield find_built_in(known)
            return
        try:
            content = self._blueprints.content(message.context["blueprint_id"])
        except RestFailed as error:
            if error.status_code == OVER:
                yield None
                return
            raise NotStarted(
                f"It was not started: its blueprint's archive is not to be had: {error}"
            ) from error
        with code_of(content, (message.context.get("plugin") or {}).get("source")) as find:
            yield find(name)

    def start(self, message: Message, *, resumable: bool) -> bool:
        """The ledger says whether it may."""
        with _written():
            return self._ledger.begin(message, resumable=resumable)

    def _known(self, message: Message) -> bool:
        with _written():
            return self._ledger.is_copy(message)

    def _is_wanted(self, message: Message) -> bool:
        """Whether the leader waits for it: it may have lain in the queue while its execution was ended.

        Raises ``NotStarted`` when nobody can say.
        """
        try:
            told = self._manager.get(f"/operations/{quote(message.id, safe='')}", _include="state,retries")
        except RestFailed as error:
            if error.status_code in GONE:
                log.info("Operation %s is not begun, for it is over: %s", message.id, error)
                return False
            raise NotStarted(
                f"It was not started: the leader did not say whether it is wanted: {error}"
            ) from error
        wanted = told["state"] in AWAITED and told["retries"] == message.attempt
        if not wanted:
            log.info("Operation %s is not begun, for the leader says %s", message.id, told)
        return wanted

    def endpoint(self, ctx: CloudifyContext) -> Any:
        """The leader's REST service."""
        return RestEndpoint(ctx, self._manager, self._blueprints, self._lines, self._folder)

    def log_handler(self) -> logging.Handler:
        """Lines of the execution."""
        return Handler(self._lines)

    def finish(self) -> None:
        """Send what it has said, or keep it. Raises ``sqlite3.Error``."""
        try:
            self._lines.flush()
        except RestFailed as error:
            log.info("What operation has said is kept for the next leader: %s", error)
            for body in self._lines.rest():
                self._ledger.keep_lines((0, *self._identity, json.dumps(body)))


@contextmanager
def _written() -> Iterator[None]:
    """Raises ``NotStarted`` for an error of the ledger."""
    try:
        yield
    except sqlite3.Error as error:
        raise NotStarted(f"It was not started: the agent's ledger cannot be written: {error}") from error
