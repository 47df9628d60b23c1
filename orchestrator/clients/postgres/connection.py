"""One kept connection on which no call lasts longer than its caller allows, not even to a suspended server.

psycopg2's blocking calls wait for an answer for ever, and a ``statement_timeout`` must not be used here: a
commit whose wait for a standby is cancelled is acknowledged. So the connection is asynchronous, and whoever
is out of patience closes it; the server finishes the statement on its own.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

from orchestrator.model.errors import DatabaseUnavailable

MAX_AGE_S = 10.0


class Connection:
    """A connection that is opened when it is needed, and again when it breaks or is old.

    A new one from time to time also tells that the server still accepts any.
    """

    def __init__(self, dsn: str, max_age_s: float = MAX_AGE_S) -> None:
        self._dsn = dsn
        self._max_age_s = max_age_s
        self._kept: Any = None
        self._opened_s = 0.0

    def query(self, sql: str, *arguments: object, timeout_s: float, fresh: bool = False) -> list[Any]:
        """Run one statement and give its rows; ``fresh``: on a new connection, which is kept then.

        Raises ``DatabaseUnavailable`` when there is no answer in time, or the server refuses.
        """
        deadline_s = time.monotonic() + timeout_s
        if fresh or time.monotonic() - self._opened_s > self._max_age_s:
            self.close()
        was_kept = self._kept is not None
        try:
            return self._query(sql, arguments, deadline_s)
        except DatabaseUnavailable:
            # The server may have been restarted since the last call: that alone is no failure.
            if not was_kept or time.monotonic() >= deadline_s:
                raise
            return self._query(sql, arguments, deadline_s)

    def close(self) -> None:
        """Drop the connection; the next call opens a new one."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _query(self, sql: str, arguments: tuple[object, ...], deadline_s: float) -> list[Any]:
        try:
            if self._kept is None:
                self._open(deadline_s)
            cursor = self._kept.cursor()
            cursor.execute(sql, arguments or None)
            _wait(self._kept, deadline_s)
            return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self.close()
            raise DatabaseUnavailable(f"PostgreSQL: {str(error).strip()}") from error
        except DatabaseUnavailable:
            self.close()
            raise

    def _open(self, deadline_s: float) -> None:
        self._opened_s = time.monotonic()
        self._kept = psycopg2.connect(self._dsn, async_=1)
        _wait(self._kept, deadline_s)


def _wait(connection: Any, deadline_s: float) -> None:
    while (state := connection.poll()) != extensions.POLL_OK:
        remaining_s = deadline_s - time.monotonic()
        poller = select.poll()
        poller.register(connection.fileno(), _EVENTS[state])
        if remaining_s <= 0 or not poller.poll(remaining_s * 1000):
            raise DatabaseUnavailable("PostgreSQL did not answer in time.")


_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}
