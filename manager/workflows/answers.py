"""The answers of operations, taken from the broker by a thread, and given to the engine many at a time.

They are read where they lie, and removed when the engine has stored them. If it dies before, the next one
reads them again: an answer that arrives twice counts once. (Celery's own consumer would take them out at
once, and get back what it had not acknowledged only after its visibility timeout.) There is one engine at a
time, so nobody else removes any.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import redis
from pydantic import ValidationError

from manager.operations.message import ANSWERS, Answer, Outcome
from manager.operations.plain import plain

log = logging.getLogger(__name__)

MOST, BLOCK_S = 500, 1.0

MAX_CHARACTERS = 1 << 20
"""Of an answer as it is sent: results are stored in the database, and read by many."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The oldest answers that are there. ``count``: of messages, also those that were none."""

    answers: tuple[Answer, ...]
    count: int


class AnswersReader:
    """Reads for as long as the process lives. ``lost``: is called when the broker cannot be read any more."""

    def __init__(
        self, broker: redis.Redis, take: Callable[[Taken], None], lost: Callable[[str], None]
    ) -> None:
        self._broker: Any = broker
        self._take = take
        self._lost = lost
        self._go_on = threading.Event()

    def waiting(self) -> Iterator[Taken]:
        """Those that are there now, before it begins to read. Each is to be ``stored`` before the next.

        Raises ``redis.RedisError``.
        """
        while found := self._oldest():
            yield found

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, name="answers", daemon=True).start()

    def stored(self, taken: Taken) -> None:
        """These have been stored: the broker may forget them. Raises ``redis.RedisError``."""
        self._broker.ltrim(ANSWERS, 0, -(taken.count + 1))
        self._go_on.set()

    def _run(self) -> None:
        try:
            while True:
                if not self._there_are_some():
                    continue
                if found := self._oldest():
                    self._go_on.clear()
                    self._take(found)
                    self._go_on.wait()
        except Exception as error:  # noqa: BLE001  # without answers nothing goes on, whatever the reason
            self._lost(f"the broker cannot be read: {type(error).__name__}: {error}")

    def _there_are_some(self) -> bool:
        """Wait for a second at most. A broker that takes longer is only slow: one that is lost says so."""
        try:
            # It moves the oldest to where it is: that waits until there is one, and changes nothing.
            return self._broker.blmove(ANSWERS, ANSWERS, BLOCK_S, "RIGHT", "RIGHT") is not None
        except redis.TimeoutError as error:
            log.warning("The broker takes long to say whether there are answers: %s", error)
            return False

    def _oldest(self) -> Taken | None:
        found = self._broker.lrange(ANSWERS, -MOST, -1)[::-1]
        return Taken(tuple(filter(None, map(read, found))), len(found)) if found else None


def read(raw: bytes) -> Answer | None:
    """A message of the queue. One that says too much, or what cannot be stored, is that of a failure."""
    try:
        body = json.loads(raw)["body"]
        told = plain(json.loads(base64.b64decode(body)))
        identifier, attempt = str(told["id"]), int(told["attempt"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        log.warning("A message among the answers is none, and is dropped: %s", error)
        return None
    if len(body) > MAX_CHARACTERS:
        return _failure(identifier, attempt, f"Its answer is larger than {MAX_CHARACTERS >> 20} MiB.")
    try:
        return Answer.model_validate(told)
    except ValidationError as error:
        return _failure(identifier, attempt, f"Its answer cannot be read: {error}")


def _failure(identifier: str, attempt: int, error: str) -> Answer:
    cause = {"message": error, "type": "Error", "traceback": ""}
    return Answer(id=identifier, attempt=attempt, outcome=Outcome.FAILED, error=error, causes=[cause])
