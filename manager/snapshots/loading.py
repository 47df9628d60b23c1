"""The rows of a snapshot: loaded beside the present ones, migrated there, and put into their place.

All of it is one transaction, as PostgreSQL takes back also what is done to tables and schemas. So whatever
happens before its end, the manager is as it was; and at its end it is the other one. The tables of the
snapshot are made by Alembic in a schema of their own, in the form that they had in the snapshot, filled, and
migrated. The present ones are then dropped and those are moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from manager.errors import BadParameters, SnapshotAction
from manager.migrate import upgrade
from manager.models import ACTIVE_STATUSES, ADMIN_ROLE, WAITING_STATUSES, Base
from manager.snapshots.archive import Reader, TableRows

# Both are constants, and so are all names that are put into statements here: they come from our models, from
# PostgreSQL's catalogue, or have been compared with it.
# ruff: noqa: S608
BESIDE = "restoring"
PRESENT = "public"
LOCK_TIMEOUT_S = 30
WAS_RUNNING = "It was running when the snapshot was taken that has been restored."

SAME_TENANT = f"""(SELECT n.id FROM {BESIDE}.tenants n JOIN {PRESENT}.tenants o ON o.name = n.name
    WHERE o.id = present.tenant_id)"""
SAME_USER = f"""(SELECT n.id FROM {BESIDE}.users n
    JOIN {PRESENT}.users o ON lower(o.username) = lower(n.username) WHERE o.id = present.creator_id)"""
SAME_EXECUTION = f"(SELECT n.pk FROM {BESIDE}.executions n WHERE n.id = present.execution_id)"
FUNCTIONS = f"""SELECT quote_ident(proname) || '(' || pg_get_function_identity_arguments(oid) || ')'
    FROM pg_proc WHERE pronamespace = CAST('{BESIDE}' AS regnamespace)"""
"""Those of the version that was loaded, as a statement names them."""


def load(session: Session, reader: Reader) -> None:
    """Have the snapshot's tables beside the present ones, migrated. Raises ``BadParameters``."""
    connection = session.connection()
    connection.execute(text(f"CREATE SCHEMA {BESIDE}"))
    connection.execute(text(f"SET LOCAL search_path TO {BESIDE}"))
    upgrade(connection, reader.manifest.revision)
    tables = {name for name, kind in _relations(connection, BESIDE) if kind == "r"} - {"alembic_version"}
    # Migrations fill some tables with what every manager has. The snapshot has these rows, too.
    connection.execute(text(f"TRUNCATE {', '.join(_quoted(table) for table in sorted(tables))}"))
    for table in reader.manifest.tables:
        if table.name not in tables:
            raise BadParameters(f"The snapshot is wrong: its version has no table {table.name}")
        _fill(connection, reader, table)
    upgrade(connection)
    connection.execute(
        text(
            "UPDATE executions SET status = 'failed', error = :error, ended_at = now() "
            "WHERE status = ANY(:active)"
        ),
        {"error": WAS_RUNNING, "active": [*ACTIVE_STATUSES, *WAITING_STATUSES]},
    )
    _check_entry(connection)


def _check_entry(connection: Connection) -> None:
    query = "SELECT count(*) FROM users JOIN roles ON roles.id = role_id WHERE active AND roles.name = :name"
    if not connection.scalar(text(query), {"name": ADMIN_ROLE}):
        raise SnapshotAction(
            "Nobody could use the manager: no user of the snapshot is an active administrator."
        )


def _fill(connection: Connection, reader: Reader, table: TableRows) -> None:
    columns = {
        name
        for (name,) in connection.execute(
            text(
                "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) "
                "AND attnum > 0 AND NOT attisdropped"
            ),
            {"table": f"{BESIDE}.{table.name}"},
        )
    }
    if unknown := sorted(set(table.columns) - columns):
        raise BadParameters(f"The snapshot is wrong: in its version {table.name} has no {', '.join(unknown)}")
    listed = ", ".join(map(_quoted, table.columns))
    driver: Any = connection.connection.driver_connection
    with reader.member(table.member) as source, driver.cursor() as cursor:
        cursor.copy_expert(f"COPY {_quoted(table.name)} ({listed}) FROM STDIN", source)
        if cursor.rowcount != table.rows:
            raise BadParameters(
                f"The snapshot is wrong: {table.name} has {cursor.rowcount} rows, not {table.rows}"
            )
    for column in table.columns:
        _set_sequence(connection, table.name, column)


def _set_sequence(connection: Connection, table: str, column: str) -> None:
    """New rows get numbers behind those of the snapshot."""
    sequence = connection.scalar(
        text("SELECT pg_get_serial_sequence(:table, :column)"),
        {"table": f"{BESIDE}.{_quoted(table)}", "column": column},
    )
    if sequence is not None:
        name = _quoted(column)
        connection.execute(
            text(
                f"SELECT setval(:sequence, coalesce(max({name}), 1), max({name}) IS NOT NULL) "
                f"FROM {_quoted(table)}"
            ),
            {"sequence": sequence},
        )


@dataclass(frozen=True, slots=True)
class Swap:
    """Putting the loaded tables into the place of the present ones.

    ``execution_id``: of the restore itself; it goes on, and with it what belongs to the manager and not to
    the data: the snapshots, and the maintenance mode.
    """

    execution_id: str

    def lock(self, session: Session) -> None:
        """From here to the end of the transaction nobody sees or changes anything."""
        session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
        tables = [name for name, kind in _relations(session.connection(), PRESENT) if kind == "r"]
        known = [table for table in sorted(tables) if table in Base.metadata.tables]
        listed = ", ".join(f"{PRESENT}.{_quoted(table)}" for table in known)
        session.execute(text(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE"))

    def keep(self, session: Session) -> None:
        """Take over what stays. Tenants in which it lies stay with it."""
        session.execute(
            text(
                f"INSERT INTO {BESIDE}.tenants (name, created_at) "
                f"SELECT name, created_at FROM {PRESENT}.tenants old "
                f"WHERE name NOT IN (SELECT name FROM {BESIDE}.tenants) AND id IN ("
                f"SELECT tenant_id FROM {PRESENT}.snapshots UNION "
                f"SELECT tenant_id FROM {PRESENT}.executions WHERE id = :execution)"
            ),
            {"execution": self.execution_id},
        )
        owned = {"tenant_id": SAME_TENANT, "creator_id": SAME_USER}
        self._keep(session, "snapshots", owned, "true")
        self._keep(session, "maintenance", {}, "true")
        self._keep(session, "executions", owned, "id = :execution")
        self._keep(
            session,
            "events",
            {"tenant_id": SAME_TENANT, "execution_pk": SAME_EXECUTION},
            "execution_id = :execution ORDER BY pk",
        )

    def _keep(self, session: Session, table: str, changed: dict[str, str], condition: str) -> None:
        columns = [column.name for column in Base.metadata.tables[table].columns if column.name != "pk"]
        values = ", ".join(changed.get(column, f"present.{_quoted(column)}") for column in columns)
        session.execute(
            text(
                f"INSERT INTO {BESIDE}.{table} ({', '.join(map(_quoted, columns))}) "
                f"SELECT {values} FROM {PRESENT}.{table} present WHERE {condition}"
            ),
            {"execution": self.execution_id} if ":execution" in condition else {},
        )

    def move(self, session: Session) -> None:
        """Drop what is there, and put what was loaded into its place."""
        loaded = list(_relations(session.connection(), BESIDE))
        kinds = {"v": "VIEW", "r": "TABLE"}
        for name, kind in sorted(loaded, key=lambda it: it[1], reverse=True):
            session.execute(text(f"DROP {kinds[kind]} IF EXISTS {PRESENT}.{_quoted(name)} CASCADE"))
        for name, kind in loaded:
            session.execute(text(f"ALTER {kinds[kind]} {BESIDE}.{_quoted(name)} SET SCHEMA {PRESENT}"))
        for function in list(session.scalars(text(FUNCTIONS))):
            session.execute(text(f"DROP FUNCTION IF EXISTS {PRESENT}.{function}"))
            session.execute(text(f"ALTER FUNCTION {BESIDE}.{function} SET SCHEMA {PRESENT}"))
        session.execute(text(f"DROP SCHEMA {BESIDE}"))
        session.execute(text("SET LOCAL search_path TO DEFAULT"))


def units(session: Session, schema: str) -> frozenset[str]:
    """The paths of the units that the rows name, but for snapshots."""
    query = text(f"SELECT path FROM {schema}.replicated_files WHERE path NOT LIKE 'snapshots/%'")
    return frozenset(session.scalars(query))


def _relations(connection: Connection, schema: str) -> Iterator[tuple[str, str]]:
    """The tables (r) and views (v) of a schema."""
    query = (
        "SELECT c.relname, c.relkind::text AS kind "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = :schema AND c.relkind IN ('r', 'v') ORDER BY c.relname"
    )
    for row in connection.execute(text(query), {"schema": schema}):
        yield row.relname, row.kind


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
