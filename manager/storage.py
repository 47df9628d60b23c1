"""The database, and what may be said about a write.

A success answer means that the commit is on enough members to survive a failover. PostgreSQL itself waits
for that inside of COMMIT. When the wait is broken off it answers COMMIT all the same and adds a warning, so
a commit that comes with any notice counts as not acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, exc
from sqlalchemy.orm import Session

from manager.errors import OutcomeUnknown, Unavailable
from manager.settings import DATABASE, USER, DatabaseSettings
from manager.slots import WriteSlot

READERS = 4
"""Connections that are left for reading while every writer waits for its commit."""

POOL_TIMEOUT_S = 2.0
ROLLED_BACK = ("23", "40")
"""Classes of SQLSTATE with which a COMMIT says that it did not happen (integrity, rollback)."""

UNDEMANDING = "SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = 200"
REFUSED = {
    "25006": "The database does not take writes at this moment.",
    **dict.fromkeys(("42P01", "42883"), "The database has not been prepared yet."),
}
"""What a database that is there, but not ours to use, says (SQLSTATE)."""


def engine_for(settings: DatabaseSettings, writers: int) -> Engine:
    """A pool of connections through the local socket; it connects when it is first used."""
    url = URL.create(
        "postgresql+psycopg2",
        username=USER,
        host=str(settings.socket_folder),
        port=settings.port,
        database=DATABASE,
    )
    timeout_s = max(1, round(settings.connect_timeout_s))  # libpq counts in whole seconds.
    return create_engine(
        url,
        # After a failover every connection in the pool is dead; each is tried before it is handed out.
        pool_pre_ping=True,
        pool_size=READERS,
        max_overflow=writers,
        pool_timeout=POOL_TIMEOUT_S,
        # Passwords are among the parameters, and an error's text goes to the log.
        hide_parameters=True,
        connect_args={"connect_timeout": timeout_s, "application_name": "restservice"},
    )


class Storage:
    """Sessions on the database. They raise ``Unavailable`` when it does not answer, or takes no writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing; it is rolled back."""
        with _telling_apart(), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self, slot: WriteSlot) -> Iterator[Session]:
        """A session that is committed at the end of the block. An error in the block rolls it back.

        Raises ``OutcomeUnknown`` when the commit was sent, but not confirmed.
        """
        with (
            slot.occupied(),
            _telling_apart(),
            self._engine.connect() as connection,
            Session(connection) as session,
        ):
            yield session
            session.flush()
            _commit(session, connection)

    @contextmanager
    def noting(self) -> Iterator[Session]:
        """A session for bookkeeping that nobody relies on: its commit waits for no disk and no replica."""
        with _telling_apart(), Session(self._engine) as session:
            session.connection().exec_driver_sql(
                "SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = 200"
            )
            yield session
            session.commit()

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()


def _commit(session: Session, connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    del driver.notices[:]
    try:
        session.commit()
    except exc.DBAPIError as error:
        if _state(error)[:2] in ROLLED_BACK:
            raise
        raise OutcomeUnknown("The connection to the database broke while a commit was under way.") from error
    if driver.notices:
        raise OutcomeUnknown("A commit was broken off before a replica had confirmed it.")


@contextmanager
def _telling_apart() -> Iterator[None]:
    """Tell a database that is not there from a statement that is wrong."""
    try:
        yield
    except exc.TimeoutError as error:
        raise Unavailable("All connections to the database are in use.") from error
    except exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError):
            raise Unavailable("The database is not available.") from error
        if _state(error) in REFUSED:
            raise Unavailable(REFUSED[_state(error)]) from error
        raise


def _state(error: exc.DBAPIError) -> str:
    return getattr(error.orig, "pgcode", None) or ""
