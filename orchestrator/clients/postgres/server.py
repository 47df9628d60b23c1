"""The life of the local server: start, stop, kill."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

from orchestrator.clients.files import sync_folder
from orchestrator.clients.postgres.binaries import control_data, server_account
from orchestrator.clients.postgres.postmaster import Postmaster
from orchestrator.clients.postgres.reading import Reader
from orchestrator.clients.postgres.rebuild import Rebuild
from orchestrator.clients.postgres.wal import WalFolder
from orchestrator.clients.services import Services
from orchestrator.config import NodeConfig
from orchestrator.model.errors import DatabaseUnavailable, Diverged, Unfinished
from orchestrator.model.lsn import Lsn, Position, shares_history

SERVICE = "postgresql"
POLL_S = 0.002
IMMEDIATE_STOP_TIMEOUT_S = 8.0
DESTROY_TIMEOUT_S = 5.0


class Server:
    """Starts and stops the local server through the machine's services."""

    def __init__(
        self, config: NodeConfig, services: Services, postmaster: Postmaster, reader: Reader, rebuild: Rebuild
    ) -> None:
        self._config = config
        self._data = config.paths.postgres_data
        self._services = services
        self._postmaster = postmaster
        self._reader = reader
        self._rebuild = rebuild

    def start(self, *, standby: bool) -> None:
        """See ``Postgres.start``."""
        self._rebuild.recover()
        if self._postmaster.pid() is None:
            self._put_standby_signal(wanted=standby)
            self._services.start(SERVICE)
        self._wait_until_it_answers()
        if self._reader.is_standby() != standby:
            raise DatabaseUnavailable("The server runs already, and not as what it was to be started as.")
        self._rebuild.discard_old()

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """See ``Postgres.stop``."""
        self._end(mode)
        self._services.stop(SERVICE)

    def shut_down(self) -> None:
        """See ``Postgres.shut_down``."""
        self._end("fast")

    def _end(self, mode: Literal["fast", "immediate"]) -> None:
        """Have the server gone, however clearly it has to be told."""
        steps = [
            (signal.SIGINT, self._config.postgres.stop_timeout_s),
            (signal.SIGQUIT, IMMEDIATE_STOP_TIMEOUT_S),
        ]
        for number, patience_s in steps if mode == "fast" else steps[1:]:
            if self._gone_after(self._postmaster.signal(number), patience_s):
                break
        else:
            self._postmaster.destroy()
            if not self._gone_after(asked=True, patience_s=DESTROY_TIMEOUT_S):
                raise Unfinished("The server could not be stopped.")

    def _gone_after(self, asked: bool, patience_s: float) -> bool:  # noqa: FBT001 - an answer passed on
        deadline_s = time.monotonic() + patience_s
        while asked and self._postmaster.pid() is not None:
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(POLL_S)
        return True

    def _wait_until_it_answers(self) -> None:
        deadline_s = time.monotonic() + self._config.postgres.start_timeout_s
        while True:
            try:
                self._reader.is_standby()
            except DatabaseUnavailable as error:
                if SERVICE not in self._services.running():
                    raise self._why_it_ended() from error
                if time.monotonic() >= deadline_s:
                    raise Unfinished(f"The server does not accept connections yet: {error}") from error
                time.sleep(POLL_S)
            else:
                return

    def _why_it_ended(self) -> Exception:
        """A diverged standby does not even start once it knows the history of the newer timeline."""
        control, wal = control_data(self._config), WalFolder(self._data)
        reached = (
            _position(control, "Latest checkpoint's TimeLineID", "Latest checkpoint location"),
            _position(control, "Min recovery ending loc's timeline", "Minimum recovery ending location"),
        )
        newest = wal.newest_known_timeline()
        for position in reached:
            if position.timeline and not shares_history(position, newest, wal.forks_of(newest)):
                return Diverged(f"The database has reached {position}, which timeline {newest} has left out.")
        return DatabaseUnavailable(
            f"The server ended while starting; see {self._config.paths.log / 'postgres'}."
        )

    def _put_standby_signal(self, *, wanted: bool) -> None:
        path: Path = self._data / "standby.signal"
        if wanted:
            account = server_account(self._config)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.fchown(descriptor, account.uid, account.gid)
            finally:
                os.close(descriptor)
        else:
            path.unlink(missing_ok=True)
        sync_folder(self._data)


def _position(control: dict[str, str], timeline: str, lsn: str) -> Position:
    return Position(int(control[timeline]), Lsn.parse(control[lsn]))
