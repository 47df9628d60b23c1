"""What is the same in all surroundings in which an operation can run, and what these have to offer for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from cloudify.context import CloudifyContext

from manager.operations.message import Message

Function = Callable[..., Any]


class NotStarted(Exception):
    """It could not be stored that the operation starts, so it does not. The message says why."""


class World(Protocol):
    """Of one operation: the manager's database, or an agent far from it."""

    def code(self, message: Message) -> AbstractContextManager[Function | None]:
        """The function, as long as the block; None: the message is out of date. Raises ``CodeNotFound``."""

    def start(self, message: Message, *, resumable: bool) -> bool:
        """Store that it starts; False: it may not (it has already, say). Raises ``NotStarted``."""

    def endpoint(self, ctx: CloudifyContext) -> Any:
        """What ``ctx`` asks: a ``cloudify.endpoint.Endpoint``."""

    def log_handler(self) -> logging.Handler:
        """Where ``ctx.logger`` writes."""

    def finish(self) -> None:
        """It has ended: write what has not been written. Whatever it raises is logged."""


class Context(CloudifyContext):
    """The ``ctx`` of operations, as ``cloudify`` has it, that asks the world that it is in."""

    def __init__(self, context: dict[str, Any], world: World) -> None:
        self._world = world
        self._asked: Any = None
        super().__init__(context)

    @property
    def _endpoint(self) -> Any:
        if self._asked is None:
            self._asked = self._world.endpoint(self)
        return self._asked

    @_endpoint.setter
    def _endpoint(self, _: Any) -> None:
        """It comes with one that would ask the REST service."""

    def _init_cloudify_logger(self) -> logging.Logger:
        # One name for all operations: loggers are kept for as long as the process lives.
        logger = logging.getLogger("ctx.operation")
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        handler = self._world.log_handler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.handlers[:] = [handler]
        return logger
