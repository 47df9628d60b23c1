"""Answers: a message each, to the queue from which the engine reads them."""

from __future__ import annotations

import itertools
import logging
import time
from typing import Any

from celery import Celery

from manager.operations.message import ANSWERS, Answer

log = logging.getLogger(__name__)

WAIT_S, MAX_WAIT_S = 0.1, 2.0


class Answers:
    """One connection to the broker, made when it is first needed. Not to be used on both sides of a fork."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None
        self._producer: Any = None

    def deliver(self, answer: Answer, tries: int | None = None) -> None:
        """Return when the broker has it. ``tries``: how often to try; None: for as long as it takes.

        Raises what kombu does at the last try.
        """
        body, wait_s = answer.model_dump(mode="json"), WAIT_S
        for number in itertools.count(1):
            try:
                return self._publish(body)
            except self._app.connection_for_write().recoverable_connection_errors as error:
                self.close()
                if number == tries:
                    raise
                log.warning("The answer about %s could not be delivered yet: %s", answer.id, error)
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, MAX_WAIT_S)
        return None

    def _publish(self, body: dict[str, Any]) -> None:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._producer = self._connection.Producer(serializer="json", auto_declare=False)
        self._producer.publish(body, exchange="", routing_key=ANSWERS)

    def close(self) -> None:
        """End the connection, if there is one."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except OSError as error:
                log.debug("A broken connection to the broker could not be closed: %s", error)
