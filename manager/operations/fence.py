"""The fence before an operation: it is stored as started, for good, before anything of it runs.

A leader that is out of office cannot commit, so it starts nothing. A message that arrives a second time, or
after its operation was reset, finds no row and starts nothing either. Whoever takes over knows then: what is
still ``sending`` or ``sent`` has not begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from manager.operations.message import Message, task_id

if TYPE_CHECKING:
    from manager.operations.database import Database

# Whoever asks gives a moment of its own, to the microsecond. When a commit was of unknown outcome it asks
# again with the same moment: a row that says so already was its own doing, and nobody else's.
START = "start_operation"
STATEMENTS = {
    f"{START} (text, int, bool, text, timestamptz)": """
        UPDATE operations o
        SET state = 'started', resumable = $3, started_at = $5, manager_name = $4
        FROM tasks_graphs g JOIN executions e ON e.pk = g.execution_pk
        WHERE o.id = $1 AND o.retries = $2 AND g.pk = o.tasks_graph_pk
            AND (o.state IN ('sending', 'sent')
                OR (o.state = 'started' AND o.manager_name = $4 AND o.started_at = $5))
            AND e.status IN ('pending', 'started', 'cancelling')
        RETURNING e.pk, e.tenant_id, e.id, e.deployment_id, e.blueprint_id, e.workflow_id, e.deployment_pk
    """
}

# The files of a blueprint: of the operation's execution, and of its deployment.
FILES = """
    SELECT t.name, b.id, b.storage_id
    FROM operations o
    JOIN tasks_graphs g ON g.pk = o.tasks_graph_pk
    JOIN executions e ON e.pk = g.execution_pk
    JOIN deployments d ON d.pk = e.deployment_pk
    JOIN blueprints b ON b.pk = d.blueprint_pk
    JOIN tenants t ON t.id = b.tenant_id
    WHERE o.id = %s AND o.retries = %s AND o.state IN ('sending', 'sent')
"""


@dataclass(frozen=True, slots=True)
class Started:
    """An operation that may run now, and the execution that it is a part of."""

    task_id: str
    execution_pk: int
    tenant_id: int
    execution_id: str
    deployment_id: str | None
    blueprint_id: str | None
    workflow_id: str
    deployment_pk: int | None


@dataclass(frozen=True, slots=True)
class FilesOf:
    """Where the files of a blueprint are, in words of ``manager.files``."""

    tenant: str
    blueprint_id: str
    storage_id: str


def start(
    database: Database, message: Message, worker: str, asked_at: datetime, *, resumable: bool
) -> Started | None:
    """Store that it has started; None when it may not: the message is a second copy, or out of date.

    ``resumable``: whether it may run again when it is interrupted. ``asked_at``: the same moment whenever
    this is asked again for the same message, and another one for every other copy. Raises ``DatabaseError``:
    it may not run, and it is not known whether it is stored as started.
    """
    parameters = (message.id, message.attempt, resumable, worker, asked_at)
    rows = database.run(f"EXECUTE {START} (%s, %s, %s, %s, %s)", parameters)
    return Started(task_id(message.id, message.attempt), *rows[0]) if rows else None


def files_of(database: Database, message: Message) -> FilesOf | None:
    """The files of the blueprint that it belongs to; None when the message is out of date."""
    rows = database.run(FILES, (message.id, message.attempt))
    return FilesOf(*rows[0]) if rows else None
