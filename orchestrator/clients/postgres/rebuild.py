"""Making and replacing the data folder: a first database, a rewind, a base backup.

What is complete gets its name in one step, so a crash at any moment leaves the old database or the new:

``data``          the database
``data.new-*``    being made; worthless unless whoever makes it finishes
``data.ready``    complete, about to replace ``data``
``data.old``      replaced, kept until its successor has started
``rewinding``     ``data`` is being rewound: until this is gone, it is neither the old database nor the new

Before ``data`` becomes another copy, it gets the name of a new incarnation. Slots are named after it, and
neither a base backup nor a rewind leaves any: a standby of what was here before is not served any more.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from psycopg2.extensions import make_dsn

from orchestrator.clients.files import sync_folder, write_atomically
from orchestrator.clients.postgres.binaries import end_leftovers, run
from orchestrator.clients.postgres.configuration import APPLICATION, SUPERUSER
from orchestrator.clients.postgres.connection import Connection
from orchestrator.clients.postgres.dynamic import DynamicSettings
from orchestrator.clients.postgres.postmaster import Postmaster
from orchestrator.clients.postgres.terms import CREATE_TABLE
from orchestrator.clients.postgres.upstream import REPLICATOR, Upstream, conninfo
from orchestrator.config import NodeConfig
from orchestrator.model.errors import DatabaseUnavailable, Diverged, Unfinished

INITIALISE_TIMEOUT_S = 120.0
CHECKPOINT_TIMEOUT_S = 120.0
REWIND_TIMEOUT_S = 1800.0
BACKUP_TIMEOUT_S = 6 * 3600.0

_REWIND_FUNCTIONS = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)
# In single-user mode one line is one statement.
_FIRST_STATEMENTS = (
    f"CREATE ROLE {REPLICATOR} LOGIN REPLICATION;",
    f"GRANT pg_checkpoint TO {REPLICATOR};",
    *(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {REPLICATOR};" for function in _REWIND_FUNCTIONS),
    f"CREATE ROLE {APPLICATION} LOGIN;",
    f"CREATE DATABASE {APPLICATION} OWNER {APPLICATION};",
    CREATE_TABLE,
)


class Rebuild:
    """Makes and replaces the data folder of one node."""

    def __init__(self, config: NodeConfig, postmaster: Postmaster, dynamic: DynamicSettings) -> None:
        self._config = config
        self._postmaster = postmaster
        self._dynamic = dynamic
        self._data = config.paths.postgres_data
        self._ready = self._data.with_name("data.ready")
        self._old = self._data.with_name("data.old")
        self._rewinding = self._data.with_name("rewinding")

    def recover(self) -> None:
        """Finish what a crash has interrupted. Raises ``Diverged`` when only a base backup helps."""
        if self._ready.exists():
            self._swap()
        if self._rewinding.exists():
            raise Diverged("A rewind was interrupted: this database has to be replaced by a base backup.")
        if not (self._data / "PG_VERSION").exists():
            raise Diverged(f"There is no database in {self._data}: it has to come from a base backup.")

    def initialise(self) -> None:
        """Make a first database, with its roles, if there is none."""
        if self._ready.exists():
            self._swap()
        if self._data.exists() or self._old.exists():
            return
        new = self._new_folder()
        options = ["--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={SUPERUSER}"]
        # Nobody gets in by the files that initdb writes into the data folder; the server does not read them.
        access = ["--auth-local=peer", "--auth-host=reject"]
        run(self._config, "initdb", [f"--pgdata={new}", *options, *access], timeout_s=INITIALISE_TIMEOUT_S)
        self._as_single_user(new, "\n".join(_FIRST_STATEMENTS))
        self._finish(new)

    def rewind(self, upstream: Upstream) -> None:
        """See ``Postgres.rewind``."""
        self.recover()
        self._require_stopped()
        source = conninfo(self._config, upstream, dbname=SUPERUSER)
        # What pg_rewind takes for the source's timeline is that of its last checkpoint.
        session = Connection(source)
        try:
            session.query("CHECKPOINT", timeout_s=CHECKPOINT_TIMEOUT_S)
        finally:
            session.close()
        self._dynamic.begin_incarnation()
        write_atomically(self._rewinding, upstream.name)
        # pg_rewind finishes the recovery of a crashed server in single-user mode, which refuses a standby.
        (self._data / "standby.signal").unlink(missing_ok=True)
        config_file = self._config.paths.postgres_etc / "postgresql.conf"
        arguments = [
            f"--target-pgdata={self._data}",
            f"--source-server={source}",
            f"--config-file={config_file}",
        ]
        try:
            run(self._config, "pg_rewind", arguments, timeout_s=REWIND_TIMEOUT_S)
        except (DatabaseUnavailable, Unfinished) as error:
            raise Diverged(f"The database could not be rewound: {error}") from error
        self._forget_rewind()

    def base_backup(self, upstream: Upstream, keep: Path | None = None) -> None:
        """See ``Postgres.base_backup``. The server must be stopped by the time the copy is complete."""
        self._require_stopped()
        if self._ready.exists():
            self._swap()
        new = self._new_folder()
        # No application_name: this must not pass for the replica itself, for which commits wait.
        source = conninfo(self._config, upstream)
        arguments = [f"--pgdata={new}", f"--dbname={source}", "--checkpoint=fast", "--wal-method=stream"]
        run(self._config, "pg_basebackup", [*arguments, "--no-password"], timeout_s=BACKUP_TIMEOUT_S)
        self._finish(new, keep)

    def dump(self, file: Path, timeout_s: float) -> None:
        """See ``Postgres.dump``."""
        source = make_dsn(
            host=str(self._config.paths.run),
            port=self._config.ports.postgres,
            user=SUPERUSER,
            dbname=APPLICATION,
        )
        arguments = ["--format=custom", f"--file={file}", f"--dbname={source}", "--no-password"]
        run(self._config, "pg_dump", arguments, timeout_s=timeout_s, as_server=False)

    def discard_old(self) -> None:
        """Remove the database that was replaced, once its successor has started."""
        if self._old.exists():
            shutil.rmtree(self._old)

    def _new_folder(self) -> Path:
        """A folder that does not exist yet. Those of earlier tries go, even when still written to."""
        new = self._data.with_name("data.new-")
        end_leftovers(f"--pgdata={new}")
        for leftover in new.parent.glob(f"{new.name}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        return new.with_name(f"{new.name}{secrets.token_hex(4)}")

    def _finish(self, new: Path, keep: Path | None = None) -> None:
        new.rename(self._ready)
        sync_folder(self._data.parent)
        if keep is not None and self._data.exists():
            self._require_stopped()
            shutil.move(self._data, keep)
            sync_folder(keep.parent)
        self._swap()

    def _swap(self) -> None:
        self._require_stopped()
        self._dynamic.begin_incarnation()
        if self._data.exists():
            self.discard_old()
            self._data.rename(self._old)
        self._ready.rename(self._data)
        sync_folder(self._data.parent)
        self._forget_rewind()

    def _forget_rewind(self) -> None:
        self._rewinding.unlink(missing_ok=True)
        sync_folder(self._data.parent)

    def _require_stopped(self) -> None:
        if self._postmaster.pid() is not None:
            raise DatabaseUnavailable(
                "The server runs; its data folder can only be replaced when it is stopped."
            )

    def _as_single_user(self, data: Path, statements: str) -> None:
        arguments = ["--single", "-D", str(data), "-c", "exit_on_error=on", "postgres"]
        run(self._config, "postgres", arguments, timeout_s=INITIALISE_TIMEOUT_S, stdin=statements + "\n")
