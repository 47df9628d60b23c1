"""The dynamic half of PostgreSQL's configuration: written durably, and in force when a call returns."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Mapping

from orchestrator.clients.postgres.connection import Connection
from orchestrator.clients.postgres.postmaster import Postmaster, sleeps_without_news
from orchestrator.clients.postgres.settings_file import SettingsFile
from orchestrator.model.errors import DatabaseUnavailable, Unfinished

POLL_S = 0.001
APPLY_TIMEOUT_S = 5.0
GENERATION = "cloudify.generation"
WAITING = "SELECT name FROM pg_settings WHERE pending_restart ORDER BY 1"
INCARNATION = "cloudify.incarnation"

# What processes of the server wait for when they are idle. They read a new configuration before they go on.
IDLE_EVENTS = {
    "startup": {"RecoveryRetrieveRetryInterval", "RecoveryWalStream"},
    "checkpointer": {"CheckpointerMain", "CheckpointWriteDelay"},
    "walsender": {"WalSenderMain", "WalSenderWaitForWAL", "WalSenderWriteData"},
}


class DynamicSettings:
    """The settings that change while the cluster runs, in ``replication.conf``.

    Every version of the file carries a generation of its own, so that it can be told from the one before.
    """

    def __init__(self, file: SettingsFile, postmaster: Postmaster, connection: Connection) -> None:
        self._file = file
        self._postmaster = postmaster
        self._connection = connection

    def read(self) -> dict[str, str]:
        """What is in the file, whether in force or not."""
        return self._file.read()

    def incarnation(self) -> str:
        """What this copy of the data is called; empty, as long as it has never been called anything."""
        return self._file.read().get(INCARNATION, "")

    def begin_incarnation(self) -> None:
        """The data of the stopped server is about to become another copy: it gets a name that none had."""
        self.announce({INCARNATION: secrets.token_hex(4)})

    def server_runs(self) -> bool:
        """Whether there is a server to read the file."""
        return self._postmaster.pid() is not None

    def put(
        self,
        changes: Mapping[str, str],
        *,
        timeout_s: float = APPLY_TIMEOUT_S,
        readers: frozenset[str] = frozenset(),
    ) -> None:
        """Change settings durably, and if the server runs, have them in force.

        In force means: new connections have them, and so have all server processes of the kinds ``readers``.
        Raises ``Unfinished`` when that is not so in time; then the file has changed all the same.
        """
        changed = self._change(changes)
        self._bring_into_force(timeout_s, readers, changed=changed)

    def waiting_for_start(self) -> tuple[str, ...]:
        """The settings that have changed, and that a running server takes only when it is started anew.

        Raises ``DatabaseUnavailable``.
        """
        if not self.server_runs():
            return ()
        rows = self._connection.query(WAITING, timeout_s=APPLY_TIMEOUT_S, fresh=True)
        return tuple(name for (name,) in rows)

    def announce(self, changes: Mapping[str, str]) -> None:
        """Change settings durably, and tell a running server; they come into force by and by."""
        self._change(changes)
        self._postmaster.signal(signal.SIGHUP)

    def _change(self, changes: Mapping[str, str]) -> bool:
        before = self._file.read()
        if changes.items() <= before.items() and GENERATION in before:
            return False
        self._write({**before, **changes})
        return True

    def reload(self, *, timeout_s: float = APPLY_TIMEOUT_S) -> None:
        """Have a running server read all its configuration files. Raises ``Unfinished``."""
        # A new generation tells when the other files, which have none, have been read as well.
        self._write(self._file.read())
        self._bring_into_force(timeout_s, frozenset(), changed=True)

    def _write(self, settings: Mapping[str, str]) -> None:
        self._file.write({**settings, GENERATION: secrets.token_hex(8)})

    def _bring_into_force(self, timeout_s: float, readers: frozenset[str], *, changed: bool) -> None:
        """Who asks a second time for what is in force already need not have the whole server read again."""
        deadline_s = time.monotonic() + timeout_s
        expected = self._file.read()
        told = changed and self._postmaster.signal(signal.SIGHUP)
        while not self._new_connections_have(expected, deadline_s):
            if not self.server_runs():
                # It does not run, or has been fenced meanwhile. Whoever starts it starts it with the file.
                return
            told = told or self._postmaster.signal(signal.SIGHUP)
            self._pause(deadline_s, "The server has not taken over the settings; its log says why.")
        if readers:
            self._wait_for_readers(readers, deadline_s)

    def _new_connections_have(self, expected: dict[str, str], deadline_s: float) -> bool:
        """A new process starts with what the postmaster has read: after that, all others have been told."""
        values = ", ".join("current_setting(%s, true)" for _ in expected)
        remaining_s = max(POLL_S, deadline_s - time.monotonic())
        try:
            rows = self._connection.query(f"SELECT {values}", *expected, timeout_s=remaining_s, fresh=True)
        except DatabaseUnavailable:
            return False
        return list(rows[0]) == list(expected.values())

    def _wait_for_readers(self, readers: frozenset[str], deadline_s: float) -> None:
        """Wait until each of the processes that run now has been seen idle once."""
        read: set[int] = set()
        while unread := [
            pid for pid, idle in self._processes(readers, deadline_s) if not (pid in read or idle)
        ]:
            self._pause(deadline_s, f"The server's processes {unread} have not read the new settings.")
            read |= {pid for pid, idle in self._processes(readers, deadline_s) if idle}

    def _processes(self, kinds: frozenset[str], deadline_s: float) -> list[tuple[int, bool]]:
        """The server processes of these kinds, and whether they are idle and have missed nothing."""
        rows = self._connection.query(
            "SELECT pid, backend_type, wait_event FROM pg_stat_activity WHERE backend_type = ANY (%s)",
            sorted(kinds),
            timeout_s=max(POLL_S, deadline_s - time.monotonic()),
        )
        return [(pid, event in IDLE_EVENTS[kind] and sleeps_without_news(pid)) for pid, kind, event in rows]

    @staticmethod
    def _pause(deadline_s: float, complaint: str) -> None:
        if time.monotonic() >= deadline_s:
            raise Unfinished(complaint)
        time.sleep(POLL_S)
