"""Is this manager empty? What it has is replaced by the cluster's when it joins, so only an empty one may."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.clients.postgres.connection import Connection
from orchestrator.config import NodeConfig

TIMEOUT_S = 5.0

# How many rows each table of the product has on a manager that was only installed: its administrator and
# the default tenant.
INSTALLED: Mapping[str, int] = {"blueprints": 0, "deployments": 0, "executions": 0, "users": 1, "tenants": 1}


def contents(config: NodeConfig) -> tuple[str, ...]:
    """What would be lost, such as ``3 users more than the administrator``; empty when nothing would.

    Raises ``DatabaseUnavailable``.
    """
    counted = _count(config)
    found = [_in_words(table, count - INSTALLED[table]) for table, count in counted.items()]
    files = _count_files(config.paths.files)
    return (*filter(None, found), *([f"{files} files"] if files else []))


def _count(config: NodeConfig) -> dict[str, int]:
    dsn = f"host='{config.paths.run}' port={config.ports.postgres} dbname=cloudify user=cloudify"
    connection = Connection(dsn)
    try:
        present = [table for table in INSTALLED if _exists(connection, table)]
        return {table: _rows(connection, table) for table in present}
    finally:
        connection.close()


def _exists(connection: Connection, table: str) -> bool:
    return connection.query("SELECT to_regclass(%s)", table, timeout_s=TIMEOUT_S)[0][0] is not None


def _rows(connection: Connection, table: str) -> int:
    # The names are the constants above.
    sql = f"SELECT count(*) FROM {table}"  # noqa: S608
    return int(connection.query(sql, timeout_s=TIMEOUT_S)[0][0])


def _in_words(table: str, more: int) -> str | None:
    if more <= 0:
        return None
    noun = table if more > 1 else table.removesuffix("s")
    return f"{more} {'extra ' if INSTALLED[table] else ''}{noun}"


def _count_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))
