"""The database as an operation's process has it: one connection of its own, made when it is first needed.

It is raw: of what costs an operation that does nothing something, this is half. A connection that broke is
made anew for the next statement; whether the broken one still had its effect nobody knows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # the library's name for a class

from manager.settings import DatabaseSettings

log = logging.getLogger(__name__)

NAME = USER = "cloudify"
LOCK_TIMEOUT_MS = 30_000
"""For how long a statement waits for another one. A commit waits for its replica as long as it takes."""

Row = tuple[Any, ...]


class DatabaseError(Exception):
    """The database is not there, refuses (it takes no writes, say), or did not confirm a commit."""


class Database:
    """Statements, each a transaction of its own, in the order in which threads ask for them.

    ``prepared``: statements that are planned once for each connection, by name, with the types of their
    parameters. Not to be used on both sides of a fork.
    """

    def __init__(self, settings: DatabaseSettings, prepared: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._prepared = prepared or {}
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    def run(self, sql: str, parameters: Mapping[str, Any] | tuple[Any, ...] = ()) -> list[Row]:
        """The rows of a statement, when it is committed for good.

        Raises ``DatabaseError`` when it was not, or when that is unknown.
        """
        with self._lock:
            try:
                return self._run(sql, parameters)
            except psycopg2.Error as error:
                self._drop()
                raise DatabaseError(str(error).strip() or type(error).__name__) from error

    def _run(self, sql: str, parameters: Mapping[str, Any] | tuple[Any, ...]) -> list[Row]:
        connection = self._connection or self._connect()
        del connection.notices[:]
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            rows = cursor.fetchall() if cursor.description else []
        if connection.notices:
            # PostgreSQL says so when it has stopped waiting for a replica to confirm a commit.
            raise DatabaseError(f"A commit was not confirmed: {connection.notices[-1].strip()}")
        return rows

    def _connect(self) -> Connection:
        connection = psycopg2.connect(
            host=str(self._settings.socket_folder),
            port=self._settings.port,
            user=USER,
            dbname=NAME,
            connect_timeout=max(1, round(self._settings.connect_timeout_s)),
            application_name="mgmtworker-operation",
            options=f"-c lock_timeout={LOCK_TIMEOUT_MS}",
        )
        connection.autocommit = True
        self._connection = connection
        with connection.cursor() as cursor:
            for name, statement in self._prepared.items():
                cursor.execute(f"PREPARE {name} AS {statement}")
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End the connection, if there is one."""
        with self._lock:
            self._drop()
