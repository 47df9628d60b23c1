"""Real PostgreSQL nodes on loopback addresses of their own."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from demo.shared_memory import IN_FILES
from orchestrator.clients.postgres import Postgres, Upstream
from orchestrator.config import NodeConfig, Ports, PostgresSettings
from orchestrator.model.snapshot import Role
from orchestrator.paths import Paths
from tests.support.addresses import network
from tests.support.certificates import Authority
from tests.support.databases import begin_with_copy
from tests.support.direct_services import DirectServices
from tests.support.waiting import eventually

OS_USER = "postgres"
NETWORK = network(90)
NAMES = ("n1", "n2", "n3")


def free_port(host_ip: str) -> int:
    with socket.socket() as probe:
        probe.bind((host_ip, 0))
        return int(probe.getsockname()[1])


class PostgresNode:
    """One node: its folders, its certificate, its ``Postgres`` and its services."""

    def __init__(self, name: str, config: NodeConfig, services: DirectServices) -> None:
        self.name, self.config, self.services = name, config, services
        self.postgres = Postgres(config, services)

    @property
    def upstream(self) -> Upstream:
        """Where others stream from when they follow this node."""
        incarnation = self.postgres.incarnation()
        return Upstream(self.name, self.config.host_ip, self.config.ports.postgres, incarnation)

    def connect(self, **more: Any) -> Any:
        """A client of the node's database, as the application is one."""
        settings = {
            "host": str(self.config.paths.run),
            "port": self.config.ports.postgres,
            "user": "cloudify",
            "dbname": "cloudify",
            "connect_timeout": 5,
        }
        connection = psycopg2.connect(**{**settings, **more})
        connection.autocommit = True
        return connection

    def execute(self, sql: str) -> list[Any]:
        """Run a statement as the application, and give its rows."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def is_gone(self) -> bool:
        """The server has ended, and whoever runs it has noticed: it can be started again."""
        return self.postgres.read().role is Role.STOPPED and "postgresql" not in self.services.running()

    def follow(self, leader: PostgresNode) -> None:
        """Become a streaming standby of ``leader``, by a base backup if there is no data yet."""
        self.postgres.write_config(self.name, NAMES)
        self.postgres.base_backup(leader.upstream)
        self.postgres.set_upstream(leader.upstream)
        self.postgres.start(standby=True)
        eventually(lambda: self.postgres.read().receiving, 30, f"{self.name} streams")


class Team:
    """Up to three nodes that trust the same CA."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._authority = Authority(folder / "ca")
        self._port = free_port(f"{NETWORK}.1")

    def node(self, name: str) -> PostgresNode:
        """A new node, with a certificate and nothing else."""
        config = self.config(name)
        self._authority.certify(config, name)
        return PostgresNode(name, config, self._stack.enter_context(DirectServices(config)))

    def config(self, name: str) -> NodeConfig:
        """The configuration of the node ``name``."""
        home = self._folder / name
        home.mkdir(exist_ok=True)
        return NodeConfig(
            host_ip=f"{NETWORK}.{name[1:]}",
            paths=Paths(etc=home / "etc", state=home / "state", run=home / "run", log=home / "log"),
            ports=Ports(postgres=self._port),
            # Tests replace databases often; none of them is about the loss of power.
            postgres=PostgresSettings(
                os_user=OS_USER, settings={"fsync": False, **IN_FILES}, stop_timeout_s=5
            ),
        )

    def leader(self) -> PostgresNode:
        """A new node that runs as a primary, with a slot for each of the others and a table to write to."""
        node = self.node("n1")
        begin_with_copy(node.config)
        return self._lead(node)

    def stranger(self, name: str) -> PostgresNode:
        """The same with a database of another origin, from which nobody can follow the leader."""
        return self._lead(self.node(name))

    def _lead(self, node: PostgresNode) -> PostgresNode:
        node.postgres.initialise()
        node.postgres.write_config(node.name, NAMES)
        node.postgres.start(standby=False)
        node.postgres.keep_slots(other for other in NAMES if other != node.name)
        node.execute("CREATE TABLE fact (id serial PRIMARY KEY, what text)")
        return node

    def replica(self, name: str, leader: PostgresNode) -> PostgresNode:
        """A new node that streams from ``leader``."""
        node = self.node(name)
        node.follow(leader)
        return node


@contextmanager
def team() -> Iterator[Team]:
    """Nodes for one test; when it is over, nothing of them is left."""
    # Not pytest's folder: the server's OS user must be able to reach its files.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            yield Team(folder, stack)
    finally:
        shutil.rmtree(folder)


def facts(node: PostgresNode) -> list[str]:
    """What has been written, in order."""
    return [what for (what,) in node.execute("SELECT what FROM fact ORDER BY id")]


def write(node: PostgresNode, what: str) -> None:
    """Write one fact, and return when it is acknowledged."""
    node.execute(f"INSERT INTO fact (what) VALUES ('{what}')")  # noqa: S608 - a word of the test's own


def caught_up(node: PostgresNode, leader: PostgresNode) -> None:
    """Wait until ``node`` has replayed all that ``leader`` has."""
    target = leader.postgres.read().position
    eventually(lambda: (p := node.postgres.read().position) is not None and p >= target, 30, "caught up")
