"""The static half of PostgreSQL's configuration: server settings, who gets in, and as whom.

It lies outside of the data folder, where neither a rewind nor a base backup touches it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from orchestrator.clients.files import write_atomically
from orchestrator.clients.postgres.binaries import invoking_user, server_account
from orchestrator.clients.postgres.settings_file import SettingsFile, format_settings, format_value
from orchestrator.clients.postgres.upstream import REPLICATOR
from orchestrator.config import NodeConfig

# The server reads these as another OS user; there is no secret in them.
READABLE = 0o644
SUPERUSER = "postgres"
APPLICATION = "cloudify"

_SETTINGS: dict[str, str | int | float | bool] = {
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "ssl": True,
    # Replication; also what pg_rewind needs later on.
    "wal_level": "replica",
    "hot_standby": True,
    "hot_standby_feedback": False,
    "wal_log_hints": True,
    "wal_keep_size": "128MB",
    "max_slot_wal_keep_size": "1GB",
    "max_wal_senders": 16,
    "max_replication_slots": 16,
    "track_commit_timestamp": True,
    "synchronous_commit": True,
    "recovery_target_timeline": "latest",
    # A dead peer is noticed soon, and a standby comes back soon.
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    # Nothing that reads on a standby may hold up the replay: promotion waits for it.
    "max_standby_streaming_delay": "500ms",
    "max_standby_archive_delay": "500ms",
    # The statements that run once per tick are small; compiling them would cost more than they do.
    "jit": False,
    "timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": True,
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %b ",
    # One file for each day of the week: old ones are overwritten, so the log cannot fill the disk slowly.
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": 0,
    "log_truncate_on_rotation": True,
}


class Configuration:
    """Writes the static configuration of one node."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._folder = config.paths.postgres_etc
        self.replication = SettingsFile(self._folder / "replication.conf")

    def exists(self) -> bool:
        """Whether it has been written."""
        return (self._folder / "postgresql.conf").exists()

    def me(self) -> str | None:
        """The node's name in its cluster, as last written."""
        return SettingsFile(self._folder / "postgresql.conf").read().get("cloudify.node") or None

    def write(self, me: str | None, members: Iterable[str]) -> None:
        """Write all static files, and the dynamic one if there is none yet. Does not reload."""
        names = sorted({*members, *([me] if me else [])})
        self.make_folders()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o755)
        if not self.replication.path.exists():
            self.replication.write({})
        self._put("pg_hba.conf", _HBA)
        self._put("pg_ident.conf", self._ident(names))
        self._put("postgresql.conf", self._static(me, names))

    def rewrite(self) -> None:
        """Write the static files anew, for the same members: the node's settings have changed."""
        written = SettingsFile(self._folder / "postgresql.conf").read()
        self.write(self.me(), filter(None, written.get("cloudify.members", "").split(",")))

    def make_folders(self) -> None:
        """Make the folders that the server writes to, and let its OS user do so."""
        account, paths = server_account(self._config), self._config.paths
        for folder in (paths.postgres_data.parent, paths.log / "postgres"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            os.chown(folder, account.uid, account.gid)
        paths.run.mkdir(parents=True, exist_ok=True)
        if account.switch:
            # Its socket lies beside files of other services: it may add its own, and remove only these.
            os.chown(paths.run, -1, account.gid)
            paths.run.chmod(0o1775)

    def _static(self, me: str | None, names: list[str]) -> str:
        paths, tls = self._config.paths, self._config.paths.ssl / "postgres"
        places: dict[str, str | int | float | bool] = {
            "listen_addresses": self._config.host_ip,
            "port": self._config.ports.postgres,
            "unix_socket_directories": str(paths.run),
            "hba_file": str(self._folder / "pg_hba.conf"),
            "ident_file": str(self._folder / "pg_ident.conf"),
            "ssl_ca_file": str(tls / "ca.pem"),
            "ssl_cert_file": str(tls / "node.pem"),
            "ssl_key_file": str(tls / "node.key"),
            "log_directory": str(paths.log / "postgres"),
            "cloudify.node": me or "",
            "cloudify.members": ",".join(names),
        }
        settings = {**_SETTINGS, **places, **self._config.postgres.settings}
        return (
            "# Written by the orchestrator. Set your own values under postgres.settings of the node.\n"
            f"{format_settings(settings)}include = {format_value(self.replication.path.name)}\n"
        )

    def _ident(self, names: list[str]) -> str:
        users = {invoking_user(), server_account(self._config).name}
        local = [f'local "{user}" {role}' for user in sorted(users) for role in (SUPERUSER, APPLICATION)]
        members = [f'members "{name}" {REPLICATOR}' for name in names]
        return "\n".join([*local, *members, ""])

    def _put(self, name: str, text: str) -> None:
        write_atomically(self._folder / name, text, mode=READABLE)


_HBA = f"""\
# Processes of this node come through the socket; members come with a certificate. Nobody else comes in.
local   all          {SUPERUSER}     peer  map=local
local   all          {APPLICATION}     peer  map=local
hostssl replication  {REPLICATOR}  all  cert  map=members
hostssl postgres     {REPLICATOR}  all  cert  map=members
"""
