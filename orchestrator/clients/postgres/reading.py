"""Reading: what the local PostgreSQL is, and how far its data goes."""

from __future__ import annotations

import time
from typing import Any

from orchestrator.clients.postgres.binaries import control_data
from orchestrator.clients.postgres.connection import Connection
from orchestrator.clients.postgres.names import parse_standby_names, slot_name
from orchestrator.clients.postgres.postmaster import Postmaster, sleeps_without_news
from orchestrator.clients.postgres.terms import NEWEST
from orchestrator.clients.postgres.wal import WalFolder
from orchestrator.config import NodeConfig
from orchestrator.model.errors import DatabaseUnavailable, Unfinished
from orchestrator.model.lsn import Fork, Lsn, Position
from orchestrator.model.snapshot import Database, Role, Stream

POLL_S = 0.002
FINAL_POSITION_TIMEOUT_S = 10.0

# A slot that helps no replica: the WAL it stood for is gone, or it keeps some from an earlier leadership.
USELESS_SLOT = "wal_status = 'lost' OR (pg_is_in_recovery() AND NOT active AND restart_lsn IS NOT NULL)"

# A server that has just been started knows of no newest commit, but still when each one was made.
UPDATED_AT = """
coalesce(
  (SELECT extract(epoch FROM timestamp) FROM pg_last_committed_xact()),
  (SELECT extract(epoch FROM max(pg_xact_commit_timestamp(((next - back) % 4294967296)::text::xid)))
     FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS snapshot,
          generate_series(1, 50) AS back
    WHERE next - back > 2)
)::float8"""

_READ = f"""
SELECT recovering AS standby,
       CASE WHEN recovering THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text AS lsn,
       CASE WHEN NOT recovering THEN pg_walfile_name(pg_current_wal_flush_lsn()) END AS wal_file,
       (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size')::int AS segment_size,
       {NEWEST} AS term,
       current_setting('primary_conninfo') AS conninfo,
       current_setting('cloudify.upstream', true) AS upstream,
       current_setting('cloudify.members', true) AS members,
       current_setting('cloudify.incarnation', true) AS incarnation,
       current_setting('synchronous_standby_names') AS standby_names,
       current_setting('default_transaction_read_only')::bool AS read_only,
       EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS receiving,
       (SELECT json_agg(json_build_array(application_name, state, flush_lsn::text))
          FROM pg_stat_replication WHERE flush_lsn IS NOT NULL) AS streams,
       (SELECT json_agg(slot_name) FROM pg_replication_slots
         WHERE slot_type = 'physical' AND NOT temporary AND NOT coalesce({USELESS_SLOT}, false)) AS slots,
       {UPDATED_AT} AS updated_at
  FROM (SELECT pg_is_in_recovery() AS recovering OFFSET 0) AS server
"""  # noqa: S608 - made of constants
_COLUMNS = (
    *("standby", "lsn", "wal_file", "segment_size", "term", "conninfo", "upstream", "members", "incarnation"),
    *("standby_names", "read_only", "receiving", "streams", "slots", "updated_at"),
)

# What a startup process waits for that has replayed everything and has nobody to stream from.
AT_END_OF_WAL = "RecoveryRetrieveRetryInterval"

_AT_END = f"""
SELECT pid, pg_last_wal_replay_lsn()::text, pg_size_bytes(current_setting('wal_segment_size')), {NEWEST}
  FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event = %s
"""  # noqa: S608 - made of constants


class Reader:
    """Reads the local server. It changes nothing."""

    def __init__(self, config: NodeConfig, postmaster: Postmaster, connection: Connection) -> None:
        self._config = config
        self._timeout_s = config.postgres.connect_timeout_s
        self._postmaster = postmaster
        self._connection = connection
        self._wal = WalFolder(config.paths.postgres_data)

    def read(self) -> Database:
        """The state of the database; see ``Postgres.read``."""
        if self._postmaster.pid() is None:
            self._connection.close()
            return Database(role=Role.STOPPED)
        try:
            row = self._row()
        except DatabaseUnavailable:
            return Database(role=Role.UNREACHABLE)
        try:
            return _database(row, self._position(row))
        except DatabaseUnavailable:
            return _database(row, None)  # The server answers; only its timeline cannot be told now.

    def final_position(self) -> Position:
        """See ``Postgres.final_position``."""
        row = self._row()
        if not row["standby"]:
            return self._position(row)
        if row["conninfo"]:
            raise Unfinished("The standby is attached to a primary, so its position is not final.")
        deadline_s = time.monotonic() + FINAL_POSITION_TIMEOUT_S
        while True:
            # What is beyond its last record is the torn beginning of one, which nobody can have acknowledged.
            for pid, lsn, segment_size, term in self._connection.query(
                _AT_END, AT_END_OF_WAL, timeout_s=self._timeout_s
            ):
                if sleeps_without_news(pid):
                    return self._on_its_timeline(Lsn.parse(lsn), segment_size, term)
            if time.monotonic() >= deadline_s:
                raise Unfinished("The standby is still replaying what it has received.")
            time.sleep(POLL_S)

    def shutdown_position(self) -> Position:
        """See ``Postgres.shutdown_position``. A stopped server does not tell the term."""
        if self._postmaster.pid() is not None:
            raise DatabaseUnavailable("The server runs, so it has no shutdown position.")
        control = control_data(self._config)
        if control["Database cluster state"] != "shut down":
            raise DatabaseUnavailable(f"The server was not shut down: {control['Database cluster state']}.")
        timeline = int(control["Latest checkpoint's TimeLineID"])
        return Position(timeline, Lsn.parse(control["Latest checkpoint location"]))

    def forks(self) -> tuple[Fork, ...]:
        """See ``Postgres.forks``."""
        return self._wal.forks_of(self._position(self._row()).timeline)

    def is_standby(self) -> bool:
        """Whether the running server is in recovery. Raises ``DatabaseUnavailable``."""
        return bool(self._connection.query("SELECT pg_is_in_recovery()", timeout_s=self._timeout_s)[0][0])

    def _row(self) -> dict[str, Any]:
        rows = self._connection.query(_READ, timeout_s=self._timeout_s)
        return dict(zip(_COLUMNS, rows[0], strict=True))

    def _position(self, row: dict[str, Any]) -> Position:
        lsn = Lsn.parse(row["lsn"])
        if row["wal_file"]:
            return Position(int(row["wal_file"][:8], 16), lsn, row["term"])
        return self._on_its_timeline(lsn, row["segment_size"], row["term"])

    def _on_its_timeline(self, lsn: Lsn, segment_size: int, term: int) -> Position:
        return Position(self._wal.timeline_of(lsn, segment_size), lsn, term)


def _database(row: dict[str, Any], position: Position | None) -> Database:
    incarnation = row["incarnation"] or ""
    node_of = {slot_name(node, incarnation): node for node in (row["members"] or "").split(",")}
    return Database(
        role=Role.STANDBY if row["standby"] else Role.PRIMARY,
        position=position,
        upstream=(row["upstream"] or None) if row["conninfo"] else None,
        receiving=row["receiving"],
        read_only=row["read_only"],
        setting=parse_standby_names(row["standby_names"]),
        streams=_streams(row["streams"] or []),
        slots=frozenset(node_of.get(slot, slot) for slot in row["slots"] or []),
        updated_at=row["updated_at"] or 0.0,
    )


def _streams(rows: list[tuple[str, str, str]]) -> dict[str, Stream]:
    """One stream for each name: a replica that has just come back may have its old connection as well."""
    found = sorted(
        (Stream(name, state == "streaming", Lsn.parse(lsn)) for name, state, lsn in rows), key=_liveness
    )
    return {stream.name: stream for stream in found}


def _liveness(stream: Stream) -> tuple[bool, Lsn]:
    return stream.streaming, stream.flushed
