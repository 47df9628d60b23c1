"""The mark that each term leaves in the database itself, so that every copy tells whose history it is.

A table of the maintenance database, replicated, rewound and copied with everything else: what it says is
true of the very data that it is found in.
"""

from __future__ import annotations

from orchestrator.clients.postgres.connection import Connection
from orchestrator.model.lsn import Terms

# In single-user mode one line is one statement.
CREATE_TABLE = "CREATE TABLE cloudify_terms (term bigint PRIMARY KEY, timeline integer NOT NULL);"
NEWEST = "coalesce((SELECT max(term) FROM cloudify_terms), 0)"

# The database takes no writes yet, and no standby follows yet.
_MARK = """
BEGIN READ WRITE;
SET LOCAL synchronous_commit = local;
INSERT INTO cloudify_terms
SELECT %s, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
    ON CONFLICT DO NOTHING;
COMMIT
"""

# Whoever has been away for longer is given a copy of everything.
_TERMS = "SELECT term, timeline FROM cloudify_terms ORDER BY term DESC LIMIT 200"


class TermMarks:
    """Reads and leaves the marks of terms in the local server."""

    def __init__(self, connection: Connection, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    def mark(self, term: int) -> None:
        """See ``Postgres.mark_term``."""
        self._connection.query(_MARK, term, timeout_s=self._timeout_s)

    def all(self) -> Terms:
        """See ``Postgres.terms``."""
        rows = self._connection.query(_TERMS, timeout_s=self._timeout_s)
        return tuple((term, timeline) for term, timeline in rows)
