"""Replication: attach and detach, promote, whom to wait for, slots."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from orchestrator.clients.postgres.configuration import Configuration
from orchestrator.clients.postgres.connection import Connection
from orchestrator.clients.postgres.dynamic import DynamicSettings
from orchestrator.clients.postgres.names import format_standby_names, slot_name
from orchestrator.clients.postgres.reading import AT_END_OF_WAL, USELESS_SLOT
from orchestrator.clients.postgres.upstream import Upstream, conninfo
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConfigurationError, DatabaseUnavailable, Unfinished
from orchestrator.model.snapshot import SyncSetting

POLL_S = 0.002
WHO_WAITS = frozenset({"checkpointer", "walsender"})
"""The server processes that go by ``synchronous_standby_names`` for all the others."""

DROP_TIMEOUT_S = 10.0

_RECOVERY = """
SELECT pid, backend_type, wait_event FROM pg_stat_activity
 WHERE backend_type IN ('startup', 'walreceiver') AND pg_is_in_recovery()
"""
_CAUGHT_UP = """
SELECT DISTINCT application_name FROM pg_stat_replication
 WHERE application_name = ANY (%s) AND state = 'streaming' AND flush_lsn >= %s::pg_lsn
"""
_SLOTS = f"""
SELECT slot_name, coalesce({USELESS_SLOT}, false)
  FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary
"""  # noqa: S608 - made of constants
_END_USER = (
    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active"
)
_DROP_UNUSED = """
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND NOT active
"""
_SLOT_EXISTS = "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s)"


class Replication:
    """Changes what the local server streams, to whom, and from whom."""

    def __init__(
        self,
        config: NodeConfig,
        configuration: Configuration,
        dynamic: DynamicSettings,
        connection: Connection,
    ) -> None:
        self._config = config
        self._timeout_s = config.postgres.connect_timeout_s
        self._configuration = configuration
        self._dynamic = dynamic
        self._connection = connection

    def detach(self, timeout_s: float) -> None:
        """See ``Postgres.detach``."""
        deadline_s = time.monotonic() + timeout_s
        nothing = {"primary_conninfo": "", "primary_slot_name": "", "cloudify.upstream": ""}
        self._dynamic.put(nothing, timeout_s=timeout_s)
        if not self._dynamic.server_runs():
            return
        self._until(self._receives_no_more, deadline_s, "The walreceiver is still there.")

    def _receives_no_more(self) -> bool:
        """Whether nothing streams any more, given that all processes have been told to; end what still does.

        The startup process may have been about to start a walreceiver the old way. Once it is seen waiting to
        look again, it has read the new settings, or will before it does anything. At the end of a timeline it
        leaves the walreceiver to wait, still connected; told later to follow somebody else, that one would go
        on with its old connection.
        """
        rows = self._connection.query(_RECOVERY, timeout_s=self._timeout_s)
        receivers = [pid for pid, kind, _ in rows if kind == "walreceiver"]
        for pid in receivers:
            # PostgreSQL's own function for this does not reach walreceivers.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        busy = any(kind == "startup" and event != AT_END_OF_WAL for _, kind, event in rows)
        return not receivers and not busy

    def set_upstream(self, upstream: Upstream) -> None:
        """See ``Postgres.set_upstream``."""
        me = self._configuration.me()
        if me is None:
            raise ConfigurationError("A node without a name in its cluster cannot follow another one.")
        if self._dynamic.read().get("cloudify.upstream") not in (None, "", upstream.name):
            self.detach(self._config.timing.detach_timeout_s)
        settings = {
            "primary_conninfo": conninfo(self._config, upstream, application_name=me),
            "primary_slot_name": slot_name(me, upstream.incarnation),
            "cloudify.upstream": upstream.name,
        }
        # Whoever needs to know waits for the stream itself.
        self._dynamic.announce(settings)

    def wait_receiving(self, timeout_s: float) -> bool:
        """See ``Postgres.wait_receiving``."""
        query = "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
        deadline_s = time.monotonic() + timeout_s
        try:
            self._until(lambda: self._truth(query), deadline_s, "")
        except (Unfinished, DatabaseUnavailable):
            return False
        return True

    def promote(self, timeout_s: float) -> None:
        """See ``Postgres.promote``."""
        deadline_s = time.monotonic() + timeout_s
        if not self._truth("SELECT pg_is_in_recovery()"):
            return
        # Its own waiting looks every 100 ms only.
        self._connection.query("SELECT pg_promote(false)", timeout_s=self._timeout_s)
        self._until(
            lambda: not self._truth("SELECT pg_is_in_recovery()"), deadline_s, "The promotion goes on."
        )

    def set_standbys(self, setting: SyncSetting) -> None:
        """See ``Postgres.set_standbys``."""
        names = format_standby_names(setting)
        self._dynamic.put({"synchronous_standby_names": names}, readers=WHO_WAITS)

    def announce_standbys(self, setting: SyncSetting) -> None:
        """See ``Postgres.announce_standbys``."""
        self._dynamic.announce({"synchronous_standby_names": format_standby_names(setting)})

    def confirm_standbys(self) -> None:
        """See ``Postgres.confirm_standbys``."""
        self._dynamic.put({}, readers=WHO_WAITS)

    def prepare_promotion(self, setting: SyncSetting) -> None:
        """See ``Postgres.prepare_promotion``."""
        settings = {
            "synchronous_standby_names": format_standby_names(setting),
            "default_transaction_read_only": "on",
        }
        self._dynamic.put(settings, readers=WHO_WAITS)

    def set_read_only(self, *, read_only: bool) -> None:
        """See ``Postgres.set_read_only``."""
        self._dynamic.put({"default_transaction_read_only": "on" if read_only else "off"})

    def wait_caught_up(self, members: Iterable[str], timeout_s: float) -> None:
        """See ``Postgres.wait_caught_up``."""
        names = sorted(members)
        self._wait_caught_up(names, len(names), timeout_s)

    def first_caught_up(self, members: Iterable[str], timeout_s: float) -> frozenset[str]:
        """See ``Postgres.first_caught_up``."""
        return self._wait_caught_up(sorted(members), 1, timeout_s)

    def _wait_caught_up(self, names: list[str], enough: int, timeout_s: float) -> frozenset[str]:
        deadline_s = time.monotonic() + timeout_s
        barrier = self._connection.query(
            "SELECT pg_current_wal_flush_lsn()::text", timeout_s=self._timeout_s
        )[0][0]
        caught_up: frozenset[str] = frozenset()

        def have_enough() -> bool:
            nonlocal caught_up
            rows = self._connection.query(_CAUGHT_UP, names, barrier, timeout_s=self._timeout_s)
            caught_up = frozenset(name for (name,) in rows)
            return len(caught_up) >= enough

        complaint = f"Of {', '.join(names)} fewer than {enough} have everything up to {barrier}."
        self._until(have_enough, deadline_s, complaint)
        return caught_up

    def keep_slots(self, nodes: Iterable[str]) -> None:
        """See ``Postgres.keep_slots``."""
        incarnation = self._dynamic.incarnation()
        wanted = {slot_name(node, incarnation) for node in nodes}
        found = self._connection.query(_SLOTS, timeout_s=self._timeout_s)
        for name, useless in found:
            if useless or name not in wanted:
                self._drop_slot(name)
        kept = {name for name, useless in found if not useless}
        for name in sorted(wanted - kept):
            # It must not hold back WAL for a replica that has not connected yet.
            create = "SELECT pg_create_physical_replication_slot(%s, immediately_reserve => false)"
            self._connection.query(create, name, timeout_s=self._timeout_s)

    def checkpoint(self, timeout_s: float) -> None:
        """See ``Postgres.checkpoint``."""
        self._connection.query("CHECKPOINT", timeout_s=timeout_s)

    def _drop_slot(self, name: str) -> None:
        """Whoever uses the slot is cut off, and comes back at once: there is a moment when nobody does."""
        deadline_s = time.monotonic() + DROP_TIMEOUT_S

        def is_dropped() -> bool:
            # Ending a walsender acknowledges nothing; the node behind it does not belong here any more.
            self._connection.query(_END_USER, name, timeout_s=self._timeout_s)
            with suppress(
                DatabaseUnavailable
            ):  # It is in use again. Were the server gone, the next query would say.
                self._connection.query(_DROP_UNUSED, name, timeout_s=self._timeout_s)
            return not self._truth(_SLOT_EXISTS, name)

        self._until(is_dropped, deadline_s, f"The slot {name} is still in use.")

    def _truth(self, query: str, *arguments: object) -> bool:
        return bool(self._connection.query(query, *arguments, timeout_s=self._timeout_s)[0][0])

    @staticmethod
    def _until(condition: Callable[[], bool], deadline_s: float, complaint: str) -> None:
        while not condition():
            if time.monotonic() >= deadline_s:
                raise Unfinished(complaint)
            time.sleep(POLL_S)
