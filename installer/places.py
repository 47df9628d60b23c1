"""What a manager has on its machine, for whoever looks at one: ports, files, and what is in them.

``docs/reference/ports.md`` and ``files.md`` are made from these tables, and a test compares them with a
machine (``tests/cluster/machines/test_places_on_machines.py``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Port:
    """``name``: of the setting ``ports.NAME``. ``who``: who has to reach it."""

    name: str
    what: str
    protocol: str
    who: str
    protection: str


PORTS = (
    Port("rest", "REST", "TCP", "clients, members", "TLS; user and password, or token"),
    Port("postgres", "PostgreSQL", "TCP", "members", "TLS with the client certificate of a member"),
    Port("consul_server", "Consul's servers", "TCP", "members", "TLS both ways"),
    Port("consul_serf", "Consul's gossip", "TCP and UDP", "members", "gossip key"),
    Port("consul_api", "Consul's API", "TCP", "this machine", "TLS both ways"),
    Port("guard", "lease guard", "TCP", "members", "none: it reads nothing and says nothing"),
    Port("ssh", "the manager's own sshd", "TCP", "members", "keys of members, each for forced commands"),
    Port("broker", "broker, on the leader", "TCP", "agents", "TLS and password"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Files below one of the node's folders. ``pattern``: as a shell has it, ``**`` for any depth.

    ``secret``: who reads it may pose as this node, or as more.
    """

    folder: str
    pattern: str
    what: str
    secret: bool = False


PLACES = (
    Place("etc", "manager.toml", "The configuration. `cfy_manager configure` changes it."),
    Place("etc", "cluster-ssl/ca.pem", "The certificate of the internal CA, which clients trust."),
    Place("etc", "cluster-ssl/ca.key", "Its key: signs certificates for anybody.", secret=True),
    Place("etc", "cluster-ssl/node.pem", "This node's certificate: REST, broker, Consul."),
    Place("etc", "cluster-ssl/node.key", "Its key.", secret=True),
    Place("etc", "cluster-ssl/postgres/ca.pem", "The CA again, as PostgreSQL reads it."),
    Place("etc", "cluster-ssl/postgres/node.pem", "The node's certificate for PostgreSQL."),
    Place("etc", "cluster-ssl/postgres/node.key", "Its key, another one.", secret=True),
    Place("etc", "cluster-ssl/**pair*/node.pem", "Where the names above lead to: pairs that fit."),
    Place("etc", "cluster-ssl/pair*/node.key", "The same.", secret=True),
    Place("etc", "cluster-ssl/postgres/pair*/node.key", "The same.", secret=True),
    Place("etc", "ssh/host_key", "By which members know this node's sshd.", secret=True),
    Place("etc", "ssh/client_key", "By which this node comes to the sshd of others.", secret=True),
    Place("etc", "ssh/*.pub", "The public halves."),
    Place("etc", "ssh/authorized_keys", "The members' keys, and the one command that each may run."),
    Place("etc", "ssh/sshd_config", "Of the manager's own sshd."),
    Place("etc", "ssh/rsyncd.conf", "What replicas may read by rsync."),
    Place("etc", "consul/agent.json", "Consul; only while the node has a cluster. Gossip key.", secret=True),
    Place("etc", "consul/life", "Which start or join of a cluster Consul's data belong to."),
    Place("etc", "consul/only-server", "Consul shall go on alone (`recover-quorum`)."),
    Place("etc", "postgres/postgresql.conf", "PostgreSQL; your own settings: `postgres.settings`."),
    Place("etc", "postgres/replication.conf", "Whom to follow, whom to wait for. The loop writes it."),
    Place("etc", "postgres/pg_hba.conf", "Who gets into the database."),
    Place("etc", "postgres/pg_ident.conf", "The members whose certificates may replicate."),
    Place("etc", "broker.conf", "The leader's broker, with its password.", secret=True),
    Place("etc", "broker-password", "The same password.", secret=True),
    Place("state", "membership.json", "Alone, joining, member or removed; name and options."),
    Place("state", "promise.json", "The newest round that this node has promised in."),
    Place("state", "postgres/**", "The database.", secret=True),
    Place("state", "consul/**", "Consul's data, with the gossip key.", secret=True),
    Place("state", "history-outbox.jsonl", "Lines of the history that Consul has not been told yet."),
    Place("state", "formation.jsonl", "How far a start or a join is."),
    Place("state", "before-cluster.json", "What a failed join puts back, the CA's key too.", secret=True),
    Place("state", "alone", "Since when this node has led without any replica."),
    Place("state", "minority", "That this node acts without the majority."),
    Place("state", "members", "The members as this node knew them last."),
    Place("state", "work/**", "Where operations on the manager work."),
    Place("state", "files/**", "The replicated files: KIND/TENANT/ID/UUID."),
    Place("state", "incoming/**", "Files that arrive from another member."),
    Place("state", "staging/**", "Uploads that are being prepared."),
    Place("state", "uploads/**", "Their locks."),
    Place("state", "disk-probe", "What the guard writes every two seconds, to see that the disk does."),
    Place(
        "state", "archives/**", "What this node alone had acknowledged: `cfy_manager archive`.", secret=True
    ),
    Place("run", "lease.json", "Until when this node may act as the leader."),
    Place("run", "session", "The Consul session that is this node's own."),
    Place("run", "files.json", "What was mirrored last, and when all files were compared."),
    Place("run", "election.json", "The election that this node won last."),
    Place("run", "office", "What the leader has to know when Consul is gone."),
    Place("run", "word.json", "The word given to a leader while Consul is gone."),
    Place("run", "workflows.json", "The term in which interrupted workflows were taken up."),
    Place("run", "follow-attempts", "How often this node has tried to follow."),
    Place("run", "known-*", "Another member's host key."),
    Place("run", "ssh-*", "A connection to another member, kept for some seconds."),
    Place("run", "redis.sock", "The node's own task queue: who may open it, commands the node."),
    Place("run", ".s.PGSQL.*", "PostgreSQL's socket."),
    Place("run", "*.lock", "Held by what is done once at a time."),
    Place("run", "restart-needed.json", "What `cfy_manager configure` has still to restart."),
    Place("log", "cloudify-cluster.log*", "The main log: plans, outcomes, elections. Begin here."),
    Place("log", "postgres/postgresql-*.log", "PostgreSQL; a file for each day of the week."),
)
"""Without what the machine has elsewhere (``ELSEWHERE``)."""

ELSEWHERE = {
    "/etc/systemd/system/cloudify-*": "The units: a service each, and `cloudify-manager.target`.",
    "/etc/sudoers.d/cloudify": "What the manager's user may do with sudo: call the next one.",
    "/opt/cloudify/sudo_trampoline.py": "Starts and stops the manager's services, and nothing else.",
    "/etc/tmpfiles.d/cloudify.conf": "Makes the folder in memory when the machine starts.",
    "systemd's journal": "What each service prints: `cfy_manager logs --service NAME`.",
}
