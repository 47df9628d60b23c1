"""Starting an execution, and staying with it until it has ended."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.api import path
from cli.errors import NOT_LEADER, Interrupted, NoManager
from cli.following import Events, check_success
from cli.session import Session
from cli.showing import local_time
from cli.waiting import Deadline

WAITING = {
    "queued": "It waits until nothing is in its way",
    "scheduled": "It waits for its time, {scheduled_for}",
}

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be started: the body of the request. ``types``: of the events to be shown."""

    body: Mapping[str, Any]
    types: tuple[str, ...]
    timeout_s: float


def start(session: Session, wish: Wish) -> Record:
    """Start it once, whoever leads meanwhile. Raises ``CliError``."""
    body = {**wish.body, "id": str(uuid.uuid4())}
    deadline = Deadline(wish.timeout_s, "cfy executions list", session.out.progress)

    def ask() -> Record | None:
        """The answer; None: nobody leads, but it may be sent again, as it carries its id."""
        try:
            answer: Record | None = session.api.post("/executions", body)
        except NoManager as error:
            if error.may_be_done or any(it.error_code == NOT_LEADER for it in error.failures):
                raise
            raise _Hopeless(error) from error
        return answer or session.api.get(path("executions", body["id"]))

    try:
        return deadline.wait_for(ask, "the execution could not be started")
    except _Hopeless as error:
        raise error.why from None


class _Hopeless(Exception):
    """Nobody can be reached at all: waiting would not help."""

    def __init__(self, why: NoManager) -> None:
        self.why = why


def run(session: Session, wish: Wish) -> Record:
    """Start it, show its events as they come, and return it when it has ended well.

    One that waits for something is returned at once. Raises ``CliError`` when it has failed, and
    ``Interrupted``.
    """
    execution = start(session, wish)
    name = execution["id"]
    what = f"workflow {execution['workflow_id']} on deployment {execution['deployment_id']}"
    if execution["status"] in WAITING:
        why = WAITING[execution["status"]].format(scheduled_for=local_time(execution.get("scheduled_for")))
        session.out.progress(f"{why}: {what}, execution {name}.")
        return execution
    session.out.progress(f"Executing {what}: execution {name}.")
    try:
        ended = dict(Events(session, name, wish.types).follow(wish.timeout_s))
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted. Execution {name} goes on.",
            f"To go on looking: cfy events list {name} --tail. To end it: cfy executions cancel {name}",
        ) from None
    check_success(ended)
    return ended
