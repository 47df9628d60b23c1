"""The local PostgreSQL: its life, what it is, whom it follows and whom it waits for."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from psycopg2.extensions import make_dsn

from orchestrator.clients.postgres.configuration import SUPERUSER, Configuration
from orchestrator.clients.postgres.connection import Connection
from orchestrator.clients.postgres.dynamic import DynamicSettings
from orchestrator.clients.postgres.postmaster import Postmaster
from orchestrator.clients.postgres.reading import Reader
from orchestrator.clients.postgres.rebuild import Rebuild
from orchestrator.clients.postgres.replication import Replication
from orchestrator.clients.postgres.server import Server
from orchestrator.clients.postgres.terms import TermMarks
from orchestrator.clients.postgres.upstream import Upstream
from orchestrator.clients.services import Services
from orchestrator.config import NodeConfig
from orchestrator.model.lsn import Fork, Position, Terms
from orchestrator.model.snapshot import Database, SyncSetting

__all__ = ["Postgres", "Upstream"]


class Postgres:
    """Everything that the cluster does with the local PostgreSQL.

    A call that needs the server raises ``DatabaseUnavailable`` when it does not answer, and ``Unfinished``
    when it does, but the work takes longer than the call may; calling again then goes on. Settings are
    changed durably, whether the server runs or not.
    """

    def __init__(self, config: NodeConfig, services: Services) -> None:
        postmaster = Postmaster(config.paths.postgres_data)
        connection = Connection(_local_dsn(config))
        self._configuration = Configuration(config)
        self._postmaster = postmaster
        self._connection = connection
        self._dynamic = DynamicSettings(self._configuration.replication, postmaster, connection)
        self._reader = Reader(config, postmaster, connection)
        self._replication = Replication(config, self._configuration, self._dynamic, connection)
        self._terms = TermMarks(connection, config.postgres.connect_timeout_s)
        self._rebuild = Rebuild(config, postmaster, self._dynamic)
        self._server = Server(config, services, postmaster, self._reader, self._rebuild)

    def initialise(self) -> None:
        """Make configuration and a first database with its roles, where there is none. Starts nothing."""
        self._configuration.make_folders()
        if not self._configuration.exists():
            self._configuration.write(None, ())
        self._rebuild.initialise()

    def write_config(self, me: str | None, members: Iterable[str]) -> None:
        """Write the static configuration: settings, who gets in. A running server reads it at once.

        ``me``: this node's name in its cluster; ``members``: the names whose certificates may replicate.
        """
        self._configuration.write(me, members)
        self._dynamic.reload()

    def rewrite_config(self) -> tuple[str, ...]:
        """Write the static configuration anew; the settings that a running server takes at its next start.

        Raises ``Unfinished``, ``DatabaseUnavailable``.
        """
        self._configuration.rewrite()
        self._dynamic.reload()
        return self._dynamic.waiting_for_start()

    def reload(self) -> None:
        """Have a running server read its configuration, and its certificates; connections go on.

        Raises ``Unfinished``.
        """
        self._dynamic.reload()

    def start(self, *, standby: bool) -> None:
        """Start the server as a standby or as a primary, and wait until it accepts connections.

        Nothing happens when it runs as that already. Raises ``Diverged`` when this database cannot start
        because its history has left that of the newest timeline it knows, a rewind was interrupted, or it is
        gone altogether.
        """
        self._server.start(standby=standby)

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop the server and wait until it is gone. One that does not obey is told more and more clearly."""
        self._connection.close()
        self._server.stop(mode)

    def shut_down(self) -> None:
        """Stop the server in good order: it is gone when this returns, and acknowledges nothing any more.

        Whoever starts it again calls ``stop`` first: the service manager may not have noticed yet.
        """
        self._connection.close()
        self._server.shut_down()

    def kill(self) -> bool:
        """Have the server end at once, without waiting for it. False when none ran.

        No commit that waits for a standby is acknowledged by this.
        """
        return self._postmaster.signal(signal.SIGQUIT)

    def read(self) -> Database:
        """What the database is now. Never raises: when it does not answer, it is ``UNREACHABLE``.

        The position of a standby is how far it has replayed, the position of a primary what it has flushed.
        """
        return self._reader.read()

    def final_position(self) -> Position:
        """The true end of what this database has: of a detached standby, once it has replayed everything."""
        return self._reader.final_position()

    def shutdown_position(self) -> Position:
        """Where the stopped primary wrote its shutdown checkpoint: every commit lies before it.

        Raises ``DatabaseUnavailable`` when it runs, or was not shut down in good order.
        """
        return self._reader.shutdown_position()

    def forks(self) -> tuple[Fork, ...]:
        """The timelines that the present one has left, oldest first."""
        return self._reader.forks()

    def incarnation(self) -> str:
        """What this copy of the data is called. It changes when the data is made, replaced or rewound."""
        return self._dynamic.incarnation()

    def mark_term(self, term: int) -> None:
        """Leave the mark of ``term`` in the primary, once. It waits for no standby."""
        self._terms.mark(term)

    def terms(self) -> Terms:
        """The terms that have left their mark in this database, newest first."""
        return self._terms.all()

    def detach(self, timeout_s: float) -> None:
        """Stop streaming, also beyond a restart. From now on nothing arrives, and nothing is confirmed."""
        self._replication.detach(timeout_s)

    def set_upstream(self, upstream: Upstream) -> None:
        """Stream from ``upstream`` from now on; needs no restart. Does not wait for the stream."""
        self._replication.set_upstream(upstream)

    def wait_receiving(self, timeout_s: float) -> bool:
        """Wait until the standby is streaming; False when it is not in time."""
        return self._replication.wait_receiving(timeout_s)

    def prepare_promotion(self, setting: SyncSetting) -> None:
        """Have a standby start as a read-only primary that waits for ``setting`` from its first commit on."""
        self._replication.prepare_promotion(setting)

    def promote(self, timeout_s: float) -> None:
        """Make the standby the primary; returns when it is one. Nothing happens when it is one already."""
        self._replication.promote(timeout_s)

    def set_standbys(self, setting: SyncSetting) -> None:
        """Have commits wait for ``setting``; returns when every process of the server goes by it."""
        self._replication.set_standbys(setting)

    def announce_standbys(self, setting: SyncSetting) -> None:
        """Begin to ``set_standbys``; until ``confirm_standbys`` nothing may be acknowledged."""
        self._replication.announce_standbys(setting)

    def confirm_standbys(self) -> None:
        """Wait until every process of the server goes by the setting that was given to it last."""
        self._replication.confirm_standbys()

    def set_read_only(self, *, read_only: bool) -> None:
        """Whether new transactions may write. Those that have begun go on."""
        self._replication.set_read_only(read_only=read_only)

    def wait_caught_up(self, members: Iterable[str], timeout_s: float) -> None:
        """Wait until all ``members`` have flushed all that this primary has flushed now."""
        self._replication.wait_caught_up(members, timeout_s)

    def first_caught_up(self, members: Iterable[str], timeout_s: float) -> frozenset[str]:
        """Wait until the first of ``members`` have flushed all that this primary has flushed now; these."""
        return self._replication.first_caught_up(members, timeout_s)

    def keep_slots(self, nodes: Iterable[str]) -> None:
        """Have exactly one physical slot for each of ``nodes``, named after this incarnation of the data.

        One that has lost its WAL is made anew.
        """
        self._replication.keep_slots(nodes)

    def checkpoint(self, timeout_s: float) -> None:
        """Checkpoint now; when it takes longer, it goes on. Raises ``DatabaseUnavailable``."""
        self._replication.checkpoint(timeout_s)

    def rewind(self, upstream: Upstream) -> None:
        """Bring the stopped database back onto the history of ``upstream``. Raises ``Diverged``."""
        self._rebuild.rewind(upstream)

    def base_backup(self, upstream: Upstream, keep: Path | None = None) -> None:
        """Replace the stopped database by a copy of ``upstream``; the next start removes the old one.

        ``keep``: where its folder is moved instead, when the copy is complete.
        """
        self._rebuild.base_backup(upstream, keep)

    def dump(self, file: Path, timeout_s: float) -> None:
        """Write the product's database to ``file``, in the custom format of pg_dump; a standby will do."""
        self._rebuild.dump(file, timeout_s)


def _local_dsn(config: NodeConfig) -> str:
    socket_folder = str(config.paths.run)
    return make_dsn(
        host=socket_folder,
        port=config.ports.postgres,
        user=SUPERUSER,
        dbname="postgres",
        application_name="orchestrator",
        connect_timeout=max(2, round(config.postgres.connect_timeout_s)),
    )
