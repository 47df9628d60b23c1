"""The engine's sign of life, and its ear: one connection to the database for as long as the process lives."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable

import psycopg2
from psycopg2 import extensions

from manager.settings import DATABASE, USER, DatabaseSettings
from manager.workflows.model import CHANNEL, ENGINES, FROM_ENGINE

WAIT_S = 5.0
CONNECT_TIMEOUT_S = 10
"""On a busy machine a connection may take its time, and no client waits for this one."""


def listen(settings: DatabaseSettings) -> extensions.connection:
    """A connection that hears what is said to engines, from now on. Raises ``psycopg2.Error``."""
    connection = psycopg2.connect(
        host=str(settings.socket_folder),
        port=settings.port,
        dbname=DATABASE,
        user=USER,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="mgmtworker",
    )
    connection.set_isolation_level(extensions.ISOLATION_LEVEL_AUTOCOMMIT)
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    return connection


class Listener:
    """Holds the advisory lock of this engine, and listens.

    While it lives, nobody else takes up what this engine works on. So when the connection breaks ``lost`` is
    called, and the process has to end: what it does would be done twice.
    """

    def __init__(self, settings: DatabaseSettings, engine: str) -> None:
        """Raises ``psycopg2.Error``."""
        self._connection = listen(settings)
        with self._connection.cursor() as cursor:
            # One engine at a time: an earlier one may need a moment to go.
            cursor.execute("SELECT pg_advisory_lock(%s, 0)", (ENGINES,))
            cursor.execute("SELECT pg_advisory_lock(%s, hashtext(%s) & 2147483647)", (ENGINES, engine))

    def start(self, heard: Callable[[], None], lost: Callable[[str], None]) -> None:
        """Call ``heard`` whenever somebody says that there is something to look at."""
        arguments = (heard, lost)
        threading.Thread(target=self._run, args=arguments, name="listener", daemon=True).start()

    def _run(self, heard: Callable[[], None], lost: Callable[[str], None]) -> None:
        try:
            while True:
                if select.select([self._connection], [], [], WAIT_S)[0]:
                    self._connection.poll()
                    others = [note for note in self._connection.notifies if note.payload != FROM_ENGINE]
                    self._connection.notifies.clear()
                    if others:
                        heard()
        except (psycopg2.Error, OSError, ValueError) as error:
            lost(f"the database was lost: {error}")
