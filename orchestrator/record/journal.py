"""What was decided and done: in the log of this node, and in the cluster's history for all to read."""

from __future__ import annotations

import logging
import time

from orchestrator.clients import Clients
from orchestrator.model.action import Action, AlreadyDone, Outcome, Plan
from orchestrator.model.history import HistoryEntry
from orchestrator.record import outbox

log = logging.getLogger("cluster")


def write_plan(plan: Plan) -> None:
    """Write down what is about to be done, before it is done."""
    for action in plan.actions:
        log.info("[%s] %s %s", plan.situation, action.summary, _details(action))


def write_outcome(action: Action, outcome: Outcome) -> None:
    """Write down what an action has done, or why it had nothing to do."""
    name = type(action).__name__
    if isinstance(outcome, AlreadyDone):
        log.info("%s: nothing to do, %s", name, outcome.why)
    else:
        log.info("%s: done%s", name, f", {outcome.detail}" if outcome.detail else "")


def write_failure(action: Action, error: Exception) -> None:
    """Write down why an action did not come to its end."""
    log.warning("%s: not done: %s", type(action).__name__, error)


def tell(  # noqa: PLR0913  An entry has so many parts.
    clients: Clients,
    term: int,
    kind: str,
    summary: str,
    at_s: float | None = None,
    duration_s: float | None = None,
    cause: str = "",
) -> None:
    """Leave a line for the cluster's history; the next tick delivers it.

    ``at_s``: when it happened, in Unix time; now, when nothing is said.
    """
    entry = HistoryEntry(
        at=at_s or time.time(),
        node=clients.me,
        kind=kind,
        summary=summary,
        term=term,
        duration_s=duration_s,
        cause=cause,
    )
    outbox.put(clients.config.paths.outbox_file, entry)


def _details(action: Action) -> str:
    return str(action).removeprefix(type(action).__name__)
