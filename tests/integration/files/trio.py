"""Three members with real trees and SSH daemons, one real Consul and one real database of the product.

``n1`` leads. The members share one Consul server and one database: what these do among themselves is the
subject of other tests. A replica that has replayed everything sees the same rows as its leader.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2

from orchestrator.act import perform
from orchestrator.clients import Clients, ssh_files
from orchestrator.clients.consul import Consul
from orchestrator.clients.product import Product
from orchestrator.config import Timing
from orchestrator.model.action import Action, Outcome
from orchestrator.model.files import FilesRecord, FilesReport
from orchestrator.model.snapshot import MembershipState, SyncRecord
from orchestrator.record import membership, session
from orchestrator.record.membership import Membership
from tests.integration.files.conftest import NETWORK, FileNode
from tests.support.consul import ConsulServers, Guard
from tests.support.rest import ManagerNode, manager_node
from tests.support.sshd import node_config
from tests.support.waiting import eventually

NAMES = ("n1", "n2", "n3")


class World:
    """What the members of all tests share: a Consul server, and a database."""

    def __init__(self, servers: ConsulServers, manager: ManagerNode) -> None:
        self.server, self.manager = servers[0], manager
        self.server.client.register_checks(3600.0)
        eventually(self._is_well, 30, "the checks pass")

    def _is_well(self) -> bool:
        self.server.client.pass_check("heartbeat")
        return {"heartbeat", "guard", "consul"} <= self.server.client.health().get("n1", frozenset())

    def connect(self):
        """A client of the database, as the application is one."""
        config = self.manager.config
        return psycopg2.connect(
            host=str(config.paths.run), port=config.ports.postgres, user="cloudify", dbname="cloudify"
        )


@contextmanager
def world() -> Iterator[World]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="files")))
        servers = stack.enter_context(ConsulServers(folder / "consul", [f"{NETWORK}.9"]))
        stack.callback(Guard(servers[0].config).close)
        yield World(servers, stack.enter_context(manager_node()))


class Trio:
    """Three members for one test."""

    def __init__(self, world: World, folder: Path, stack: ExitStack) -> None:
        self._world = world
        self.consul = Consul(world.server.config, "n1")
        self._forget()
        self.nodes = {name: self._node(name, folder, stack) for name in NAMES}
        members = [node.member for node in self.nodes.values()]
        for node in self.nodes.values():
            ssh_files.authorise(node.config, members)
            node.start_daemon()
            self.consul.put_member(node.member)
        self.session = self.lead("n1")

    def _forget(self) -> None:
        library = self.consul._api
        for held in library.session.list()[1]:
            library.session.destroy(held["ID"])
        library.kv.delete("", recurse=True)
        self.sql("DELETE FROM snapshots")

    def _node(self, name: str, folder: Path, stack: ExitStack) -> FileNode:
        config = node_config(folder / name, f"{NETWORK}.{name[1:]}")
        if name != "n1":
            config = config.model_copy(update={"ports": self.nodes_ports})
        self.nodes_ports = config.ports
        config = config.model_copy(update={"timing": Timing(catch_up_timeout_s=0.3)})
        node = stack.enter_context(FileNode(name, config))
        membership.write(config.paths.membership_file, Membership(MembershipState.MEMBER, name))
        return node

    def lead(self, name: str) -> str:
        """Have ``name`` take the free lease; returns its session."""
        made = self.consul.create_session()
        assert Consul(self._world.server.config, name).acquire_lease(made)
        session.write(self.nodes[name].config, made)
        record = SyncRecord(self.term, name, 1, frozenset(NAMES) - {name})
        self.consul.write_record(made, record)
        return made

    @property
    def term(self) -> int:
        return self.consul.read_lease().term

    @property
    def record(self) -> FilesRecord | None:
        return self.consul.files_record()

    def reported(self, name: str) -> FilesReport | None:
        return self.consul.file_reports()[0].get(name)

    def say(self, *, complete: bool) -> FilesRecord:
        """The leader says that its files have changed."""
        return self.consul.bump_files(self.session, self.term, complete=complete)

    def do(self, name: str, action: Action) -> Outcome:
        """Have a member carry out an action."""
        node, world = self.nodes[name], self._world
        product = Product(world.manager.config)
        postgres = world.manager.postgres
        clients = Clients(
            node.config,
            name,
            Consul(world.server.config, name),
            Caught(postgres) if name == "n1" else None,
            *(None, None, node.mirror, product),
        )
        try:
            return perform(clients, action)
        finally:
            product.close()

    def name_in_row(self, unit: str) -> None:
        """Commit a row that names the unit of a snapshot."""
        self.sql(*row_of(unit))

    def sql(self, statement: str, arguments: tuple[str, ...] = ()) -> None:
        connection = self._world.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, arguments)
        finally:
            connection.close()

    def connect(self):
        return self._world.connect()

    def history(self, name: str = "n1") -> list[tuple[str, str]]:
        """Kind and summary of what a member has to tell."""
        try:
            lines = self.nodes[name].config.paths.outbox_file.read_text().splitlines()
        except FileNotFoundError:
            return []
        entries = map(json.loads, lines)
        return [(entry["kind"], entry["summary"]) for entry in entries]


def row_of(unit: str) -> tuple[str, tuple[str, ...]]:
    """The statement that makes a row which names the unit of a snapshot."""
    _, _, name, storage_id = unit.split("/")
    statement = """
        INSERT INTO snapshots (id, tenant_id, status, storage_id)
        SELECT %s, id, 'created', %s FROM tenants WHERE name = 'default_tenant'
    """
    return statement, (name, storage_id)


class Caught:
    """The leader's database, whose replicas have replayed everything."""

    def __init__(self, postgres) -> None:
        self.waited_for: list[frozenset[str]] = []
        self._postgres = postgres

    def wait_caught_up(self, members, timeout_s) -> None:
        self.waited_for.append(frozenset(members))
