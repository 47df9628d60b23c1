"""A message in the worker's main process, which sees what its pool's processes cannot tell any more.

A process that runs an operation answers for it. When it cannot (it was killed, it ran out of time or memory),
the main process does.
"""

from __future__ import annotations

import logging
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery.worker.request import Request
from pydantic import ValidationError

from manager.operations.answering import Answers
from manager.operations.message import Message
from manager.operations.processes import end_tree
from manager.operations.running import failure

log = logging.getLogger(__name__)

TRIES = 5
"""How often an answer is tried from here: while this process waits, nothing is begun. Then it ends."""


class OperationRequest(Request):
    """One message that has arrived."""

    answers: Answers
    worker: str
    wanted_dead = False
    answered = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked = self._read()
        if self.asked is not None:
            self.time_limits = (self.asked.timeout_s, None)

    def _read(self) -> Message | None:
        """What is asked for; None: it makes no sense."""
        try:
            return Message.model_validate(self.args[0])
        except (IndexError, ValidationError) as error:
            log.error("A message makes no sense: %s", error)  # noqa: TRY400  # where is of no interest
            return None

    def kill(self) -> None:
        """End the process that runs it, with all that this has started."""
        self.wanted_dead = True
        if self.worker_pid:
            end_tree(self.worker_pid)

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """A process has it."""
        super().on_accepted(pid, time_accepted)
        if self.wanted_dead:
            end_tree(pid)

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001  # celery's signature
        """It has taken too long. The pool ends the process, but not what that has started."""
        message = self.asked
        recoverable = bool(message and message.timeout_recoverable)
        if self.worker_pid:
            end_tree(self.worker_pid)
        super().on_timeout(soft, timeout)
        self._answer(f"It was ended after {timeout:g} s, which is its timeout.", recoverable=recoverable)

    def on_failure(
        self,
        exc_info: Any,
        send_failed_event: bool = True,  # noqa: FBT001, FBT002  # celery's signature
        return_ok: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        """Its process has died, or has failed in a way that no operation can."""
        done = super().on_failure(exc_info, send_failed_event, return_ok)
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if self.wanted_dead:
            self._answer("It was killed.", recoverable=False)
        elif not isinstance(error, TimeLimitExceeded):  # ``on_timeout`` comes next.
            self._answer(
                f"The process {self.worker_pid} that ran it ended before it had answered: {error}",
                recoverable=True,
            )
        return done

    def _answer(self, error: str, *, recoverable: bool) -> None:
        message = self.asked
        if message is None or self.answered:
            return
        self.answered = True
        log.warning("Operation %s (%s): %s", message.id, message.context.get("task_name"), error)
        self.answers.deliver(failure(message, self.worker, error, recoverable=recoverable), TRIES)
