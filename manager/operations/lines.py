"""What an operation says (``ctx.logger``, ``ctx.send_event``): lines of its execution, written together.

They are in the database when the operation has ended, and soon after they were said when it takes longer. The
order is that of ``manager.events``: writers of one execution take turns, and its times never go back.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from manager.operations.database import Database, DatabaseError
from manager.operations.fence import Started
from manager.operations.plain import text

log = logging.getLogger(__name__)

PAUSE_S = 0.5
"""For how long lines wait for others."""

BATCH = 500
MAX_CHARACTERS = 100_000
"""Of one line: a program that writes without ever ending a line is cut short."""

LOG, EVENT = "cloudify_log", "cloudify_event"

# Each statement sees what was committed before it began, so the second one sees what those before it wrote.
WRITE = """
    SELECT pg_advisory_xact_lock(1, (%(execution_pk)s::bigint %% 2147483647)::int);
    WITH last AS (
        SELECT greatest(clock_timestamp(), max(reported_timestamp)) AS reported
        FROM events WHERE execution_id = %(execution_id)s
    )
    INSERT INTO events (
        type, tenant_id, execution_pk, execution_id, deployment_id, blueprint_id, workflow_id, node_name,
        node_instance_id, source_id, target_id, operation, message, event_type, level, logger, timestamp,
        reported_timestamp
    )
    SELECT line->>0, %(tenant_id)s, %(execution_pk)s, %(execution_id)s, %(deployment_id)s, %(blueprint_id)s,
        %(workflow_id)s, %(node_name)s, %(node_instance_id)s, %(source_id)s, %(target_id)s, %(operation)s,
        line->>1, line->>2, line->>3, line->>4, (line->>5)::timestamptz, last.reported
    FROM last, jsonb_array_elements(%(lines)s::jsonb) WITH ORDINALITY AS told (line, number)
    ORDER BY told.number
"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: the instance of an operation, or both of a relationship's."""

    node_name: str | None = None
    node_instance_id: str | None = None
    source_id: str | None = None
    target_id: str | None = None
    operation: str | None = None

    @classmethod
    def of(cls, context: dict[str, Any]) -> Speaker:
        """The speaker in the context of a message."""
        me, other = context.get("node_id"), context.get("related")
        operation = (context.get("operation") or {}).get("name")
        if not other:
            return cls(context.get("node_name"), me, operation=operation)
        source, target = (me, other["node_id"]) if other["is_target"] else (other["node_id"], me)
        return cls(context.get("node_name"), me, source, target, operation)


class Lines:
    """Of one operation. Any thread may add; ``flush`` is called when it has ended."""

    def __init__(self, database: Database, started: Started, speaker: Speaker) -> None:
        self._database = database
        self._fixed = {
            **{name: getattr(started, name) for name in ("execution_pk", "tenant_id", "execution_id")},
            **{name: getattr(started, name) for name in ("deployment_id", "blueprint_id", "workflow_id")},
            **{name: getattr(speaker, name) for name in Speaker.__slots__},
        }
        self._waiting: list[list[str | None]] = []
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None

    def log(self, record: logging.LogRecord, message: str) -> None:
        """A log line."""
        at = datetime.fromtimestamp(record.created, UTC)
        self._add([LOG, text(message), None, record.levelname.lower(), record.name, at.isoformat()])

    def event(self, message: str) -> None:
        """An event, as ``ctx.send_event`` sends it."""
        at = datetime.now(UTC)
        self._add([EVENT, text(message), "plugin_event", None, None, at.isoformat()])

    def _add(self, line: list[str | None]) -> None:
        line[1] = (line[1] or "")[:MAX_CHARACTERS]
        with self._guard:
            self._waiting.append(line)
            if self._timer is None:
                self._timer = threading.Timer(PAUSE_S, self._write_soon)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what has been said until now. Raises ``DatabaseError``."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
        self._write()

    def _write_soon(self) -> None:
        try:
            self._write()
        except DatabaseError as error:
            log.warning("Lines of an operation could not be written yet: %s", error)

    def _write(self) -> None:
        # One at a time: what was said first is written first.
        with self._writing:
            with self._guard:
                lines, self._timer = list(self._waiting), None
            for first in range(0, len(lines), BATCH):
                batch = lines[first : first + BATCH]
                self._database.run(WRITE, self._fixed | {"lines": json.dumps(batch)})
                with self._guard:
                    del self._waiting[: len(batch)]


class Handler(logging.Handler):
    """Of ``ctx.logger``."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Add the line."""
        self._lines.log(record, self.format(record))
