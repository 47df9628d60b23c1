"""What an engine is needed for: one question to the database, asked by those who start it and by itself.

An engine is needed for executions that are active, also those that nobody works on yet or any more, and for
those that wait; for a scheduled one when its time has come. As long as there are agents it is needed as well:
they are told of the members, and what they still answer is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import errors, extensions

QUESTION = """
    SELECT
        EXISTS (
            SELECT FROM executions
            WHERE NOT is_system_workflow AND status IN (
                'pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling', 'queued'
            )
        ) OR EXISTS (SELECT FROM agents),
        (
            SELECT extract(epoch FROM min(scheduled_for) - clock_timestamp())::float8
            FROM executions WHERE NOT is_system_workflow AND status = 'scheduled'
        )
"""


@dataclass(frozen=True, slots=True)
class Needs:
    """``work``: something is to be done now. ``due_in_s``: when the next scheduled execution is; or None."""

    work: bool = False
    due_in_s: float | None = None

    @classmethod
    def of(cls, answer: Sequence[Any]) -> Needs:
        """From the row that answers ``QUESTION``."""
        work, due_in_s = answer
        return cls(bool(work), None if due_in_s is None else float(due_in_s))

    @property
    def engine(self) -> bool:
        """Whether an engine has to be there."""
        return self.work or (self.due_in_s is not None and self.due_in_s <= 0)


def look(connection: extensions.connection) -> Needs:
    """What is needed at this moment. Raises ``psycopg2.Error``."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(QUESTION)
        except errors.UndefinedTable:
            # The database was not prepared yet: there is nothing in it that could be worked on.
            return Needs()
        row = cursor.fetchone()
    return Needs.of(row) if row is not None else Needs()
