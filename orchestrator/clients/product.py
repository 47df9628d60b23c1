"""The product's own database, as far as the cluster has to know it: its files, and its interrupted work."""

from __future__ import annotations

import time

from orchestrator.clients.forced_command import is_unit
from orchestrator.clients.postgres.connection import Connection
from orchestrator.config import NodeConfig
from orchestrator.model.errors import Unfinished

TIMEOUT_S = 10.0
TAKE_UP_TIMEOUT_S = 30.0
"""Thousands of interrupted executions take a second or two; replicas have to confirm them."""

POLL_S = 0.05


class Product:
    """Reads the view ``replicated_files``, and calls the function ``take_up_executions`` on the leader."""

    def __init__(self, config: NodeConfig) -> None:
        self._connection = Connection(
            f"host='{config.paths.run}' port={config.ports.postgres} dbname=cloudify user=cloudify"
        )

    def named(self) -> frozenset[str]:
        """The units that rows name now.

        Raises ``DatabaseUnavailable``, and ``Unfinished`` when the view is not there (yet), or names what is
        no unit: then it is not known what is needed, and nothing may be deleted.
        """
        rows = self._connection.query("SELECT to_regclass('replicated_files')", timeout_s=TIMEOUT_S)
        if rows[0][0] is None:
            raise Unfinished("the product's database does not say yet which files it needs")
        rows = self._connection.query("SELECT path FROM replicated_files", timeout_s=TIMEOUT_S)
        named = frozenset(str(path) for (path,) in rows)
        strange = [path for path in named if not is_unit(path)]
        if strange:
            raise Unfinished(f"a row names {strange[0]!r}, which is no path of a unit")
        return named

    def unnamed(self, units: frozenset[str], timeout_s: float) -> frozenset[str]:
        """Those of ``units`` that no row names, when that is all of them, or after ``timeout_s``.

        A replica may be told of a deletion a moment before it has replayed it. Raises as ``named``.
        """
        deadline_s = time.monotonic() + timeout_s
        while (free := units - self.named()) != units and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        return free

    def settle(self, timeout_s: float) -> None:
        """Wait until every transaction that writes now has ended: what it has written is seen after this.

        One whose client has died may still be waiting for its replicas to confirm it. Raises ``Unfinished``.
        """
        deadline_s = time.monotonic() + timeout_s
        writing = self._writing()
        while writing & self._writing():
            if time.monotonic() > deadline_s:
                raise Unfinished("a transaction that was under way has not ended yet")
            time.sleep(POLL_S)

    def _writing(self) -> frozenset[str]:
        """The transactions that write, also those that only wait to be confirmed.

        Each holds a lock on its own number until it can be seen (PostgreSQL documentation, ``pg_locks``). A
        snapshot's limits would not tell: the newest transaction lies beyond them while it is under way.
        """
        sql = "SELECT transactionid::text FROM pg_locks WHERE locktype = 'transactionid' AND granted"
        return frozenset(number for (number,) in self._connection.query(sql, timeout_s=TIMEOUT_S))

    def take_up_executions(self, term: int) -> tuple[int, int]:
        """Free the executions that nobody works on: how many go on, and how many had to fail.

        Raises ``DatabaseUnavailable``.
        """
        found = self._connection.query(
            "SELECT to_regprocedure('take_up_executions(bigint)')", timeout_s=TIMEOUT_S
        )
        if found[0][0] is None:
            return 0, 0  # A database that was not prepared yet has no executions either.
        sql = "SELECT resumed, failed FROM take_up_executions(%s)"
        resumed, failed = self._connection.query(sql, term, timeout_s=TAKE_UP_TIMEOUT_S)[0]
        return int(resumed), int(failed)

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()
