"""Where a node keeps what: its folders, and the files in them that more than one module knows."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a configuration: what is not known is refused, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paths(Section):
    """Folders of a node. ``run`` holds sockets (short path!) and lies in memory."""

    etc: Path = Path("/etc/cloudify")
    state: Path = Path("/var/lib/cloudify")
    run: Path = Path("/run/cloudify")
    log: Path = Path("/var/log/cloudify")

    @property
    def ssl(self) -> Path:
        """Certificates and keys for clustering."""
        return self.etc / "cluster-ssl"

    @property
    def ssh(self) -> Path:
        """SSH keys, known hosts, the daemon's configuration."""
        return self.etc / "ssh"

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.state / "postgres" / "data"

    @property
    def postgres_etc(self) -> Path:
        """PostgreSQL's configuration, outside of the data folder: rewinding must not replace it."""
        return self.etc / "postgres"

    @property
    def consul_data(self) -> Path:
        """Consul's data folder."""
        return self.state / "consul"

    @property
    def consul_etc(self) -> Path:
        """Consul's configuration folder."""
        return self.etc / "consul"

    @property
    def files(self) -> Path:
        """The replicated folders."""
        return self.state / "files"

    @property
    def incoming(self) -> Path:
        """Where units arrive from other members, before they are complete."""
        return self.state / "incoming"

    @property
    def uploads(self) -> Path:
        """One locked file for each upload that is under way on this node."""
        return self.state / "uploads"

    @property
    def disk_probe(self) -> Path:
        """What the guard writes to see that the disk does."""
        return self.state / "disk-probe"

    @property
    def files_lock(self) -> Path:
        """Held by whatever changes the replicated folders on behalf of the cluster."""
        return self.run / "files.lock"

    @property
    def lease_file(self) -> Path:
        """When the lease was last renewed (see ``orchestrator.record.lease_file``)."""
        return self.run / "lease.json"

    @property
    def membership_file(self) -> Path:
        """Where this node stands towards a cluster."""
        return self.state / "membership.json"

    @property
    def promise_file(self) -> Path:
        """What this node has promised to the others."""
        return self.state / "promise.json"

    @property
    def archives(self) -> Path:
        """What this node alone had, before it followed somebody who had not."""
        return self.state / "archives"

    @property
    def word_file(self) -> Path:
        """The word that this node has given to a leader while Consul was gone."""
        return self.run / "word.json"

    @property
    def outbox_file(self) -> Path:
        """Lines for the cluster's history that Consul has not been told yet."""
        return self.state / "history-outbox.jsonl"

    @property
    def redis_socket(self) -> Path:
        """The node-local Celery broker."""
        return self.run / "redis.sock"

    @property
    def supervisor_socket(self) -> Path:
        """The control socket of supervisord, where there is no systemd."""
        return self.run / "supervisor.sock"

    @property
    def cluster_log(self) -> Path:
        """The main log."""
        return self.log / "cloudify-cluster.log"
