"""The events of an execution: all that there are, and all that come until it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.api import path
from cli.errors import CliError
from cli.output import Output
from cli.session import Session
from cli.settings import Settings
from cli.showing import local_time
from cli.waiting import Deadline

EVENT, LOG = "cloudify_event", "cloudify_log"
DEBUG = "debug"
END_STATUSES = ("terminated", "failed", "cancelled")
FAILURES = {"failed": "failed", "cancelled": "was cancelled"}
BEGIN_EVENTS = ("workflow_started", "workflow_resumed")
END_EVENTS = ("workflow_succeeded", "workflow_failed", "workflow_cancelled")
PAGE_SIZE = 1000

LAST_EVENT_TIMEOUT_S = 5.0
"""An execution's last event may come a little after its end; one that was ended by force has none."""

Record = Mapping[str, Any]


@dataclass(slots=True)
class Events:
    """The events of one execution in the order of their arrival, each read once."""

    session: Session
    execution_id: str
    types: Sequence[str] = (EVENT, LOG)
    offset: int = 0
    last_seen: bool = False
    ended_s: float | None = None

    def fresh(self) -> list[Record]:
        """The next ones; empty: there are no more at present."""
        page = self.session.api.get(
            "/events",
            execution_id=self.execution_id,
            type=self.types,
            _sort="reported_timestamp",
            _offset=self.offset,
            _size=PAGE_SIZE,
        )
        items: list[Record] = page["items"]
        self.offset += len(items)
        for item in items:
            # An execution that was resumed has ended before.
            if item.get("event_type") in (*BEGIN_EVENTS, *END_EVENTS):
                self.last_seen = item["event_type"] in END_EVENTS
        return items

    def print_fresh(self) -> None:
        """Print all that there are by now and have not been printed yet."""
        while items := self.fresh():
            for item in items:
                print_event(self.session.out, item)

    def follow(self, timeout_s: float) -> Record:
        """Print what comes until the execution has ended, and return that. Raises ``TimedOut``."""
        deadline = Deadline(timeout_s, f"cfy executions get {self.execution_id}", self.session.out.progress)
        return deadline.wait_for(self._ended, f"execution {self.execution_id} has not ended")

    def _ended(self) -> Record | None:
        execution: Record = self.session.api.get(path("executions", self.execution_id))
        # Read after the status: whatever was there before the end is printed before it is noticed.
        self.print_fresh()
        if execution["status"] not in END_STATUSES:
            self.ended_s = None
            return None
        if self.ended_s is None:
            self.ended_s = time.monotonic()
        late = time.monotonic() - self.ended_s > LAST_EVENT_TIMEOUT_S
        return execution if self.last_seen or late else None


def print_event(out: Output, event: Record) -> None:
    """Print a line for an event or a log message, and one for each cause of an error.

    Messages for who looks for a fault are shown to who asks for more; a program gets all.
    """
    if out.settings.json:
        out.json_line(event)
        return
    if event.get("level") == DEBUG and out.settings.verbosity < Settings.SHOW_DEBUG:
        return
    kind = event.get("level") or event.get("event_type") or ""
    where = event.get("node_instance_id") or event.get("node_name") or event.get("workflow_id") or ""
    operation = str(event.get("operation") or "").rpartition(".")[2]
    subject = ".".join(part for part in (where, operation) if part)
    out.line(f"{local_time(event.get('timestamp'))}  {kind:<24}  [{subject}] {event.get('message') or ''}")
    for cause in event.get("error_causes") or ():
        out.line(f"    {cause.get('type')}: {cause.get('message')}")


def check_success(execution: Record) -> None:
    """Raise ``CliError`` unless the execution did what it should."""
    outcome = FAILURES.get(execution["status"])
    if outcome:
        said = f": {execution['error']}" if execution.get("error") else "."
        raise CliError(f"Execution {execution['id']} ({execution['workflow_id']}) {outcome}{said}")
