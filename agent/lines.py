"""What an operation on an agent says, sent to the leader in batches. What cannot be sent yet waits."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Any

from agent.rest import Manager, RestFailed
from manager.operations.plain import text

log = logging.getLogger(__name__)

Json = dict[str, Any]

PATH = "/events"
PAUSE_S = 1.0
BATCH = 20
MAX_CHARACTERS = 20_000


class Lines:
    """Of one operation. Any thread may add; ``flush`` is called when it has ended."""

    def __init__(self, manager: Manager, context: Json) -> None:
        self._manager = manager
        self._where = {
            "operation": (context.get("operation") or {}).get("name"),
            "node_name": context.get("node_name"),
            "node_instance_id": context.get("node_id"),
            **_ends(context),
        }
        self._execution = context.get("execution_id")
        self._waiting: list[Json] = []
        self._timer: threading.Timer | None = None
        self._guard, self._sending = threading.Lock(), threading.Lock()

    def log(self, record: logging.LogRecord, message: str) -> None:
        """A line of the log."""
        self._add(message, level=record.levelname.lower(), logger=record.name)

    def event(self, message: str) -> None:
        """An event, as ``ctx.send_event`` sends it."""
        self._add(message, event_type="plugin_event")

    def _add(self, message: str, **more: str) -> None:
        line = {
            "message": text(message)[:MAX_CHARACTERS],
            "timestamp": datetime.now(UTC).isoformat(),
            **self._where,
            **more,
        }
        with self._guard:
            self._waiting.append(line)
            if self._timer is None:
                self._timer = threading.Timer(PAUSE_S, self._send_soon)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Send what has been said until now. Raises ``RestFailed``."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
        self._send()

    def rest(self) -> list[Json]:
        """What has not been sent: bodies of requests."""
        with self._guard:
            parts = range(0, len(self._waiting), BATCH)
            return [self._body(self._waiting[first : first + BATCH]) for first in parts]

    def _body(self, batch: list[Json]) -> Json:
        return {"execution_id": self._execution, "lines": batch}

    def _send_soon(self) -> None:
        try:
            self._send()
        except RestFailed as error:
            log.warning("Lines of an operation could not be sent yet: %s", error)

    def _send(self) -> None:
        # One at a time: what was said first is written first.
        with self._sending:
            with self._guard:
                lines, self._timer = list(self._waiting), None
            for first in range(0, len(lines), BATCH):
                batch = lines[first : first + BATCH]
                self._manager.send("POST", PATH, self._body(batch))
                with self._guard:
                    del self._waiting[: len(batch)]


def _ends(context: Json) -> Json:
    other = context.get("related")
    if not other:
        return {}
    source, target = context.get("node_id"), other["node_id"]
    ends = (source, target) if other["is_target"] else (target, source)
    return dict(zip(("source_id", "target_id"), ends, strict=True))


class Handler(logging.Handler):
    """Of ``ctx.logger``."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Add the line."""
        self._lines.log(record, self.format(record))
