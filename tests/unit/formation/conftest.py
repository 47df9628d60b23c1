from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from orchestrator.clients import Clients, consul_agent, ssh_files
from orchestrator.clients.postgres import Upstream
from orchestrator.clients.services import MemoryServices
from orchestrator.config import NodeConfig, Ports
from orchestrator.formation import broker, emptiness, node, pki
from orchestrator.model.errors import ConsulUnavailable, DatabaseUnavailable
from orchestrator.model.snapshot import Announcement, ClusterView, Lease, Member
from orchestrator.paths import Paths

SERVICES = ("consul", "postgresql", "restservice", "broker", "mgmtworker")


@dataclass
class World:
    """What a cluster's Consul and a machine would do; ``calls`` tells what was asked of them, in order.

    A call named in ``fails`` fails, as long as it is there.
    """

    view: ClusterView = field(default_factory=lambda: ClusterView(Lease(None, None, 0, 0)))
    calls: list[str] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)

    def note(self, call, error=DatabaseUnavailable):
        self.calls.append(call)
        if call in self.fails:
            raise error(f"{call} does not work")


class FakeConsul:
    def __init__(self, world, config, me):
        self._world, self._config, self.me = world, config, me

    def __getattr__(self, name):
        return lambda *_, **__: self._world.note(f"consul.{name}", ConsulUnavailable)

    def view(self):
        return self._world.view

    def ready(self):
        self._world.note("consul.ready", ConsulUnavailable)
        return True

    def health(self):
        return {self.me: frozenset({"consul", "heartbeat", "guard"})}

    def create_session(self):
        return "session"

    def acquire_lease(self, session, modified=None):
        self._world.note("consul.acquire_lease", ConsulUnavailable)
        self._world.view = replace(self._world.view, lease=Lease(self.me, session, 1, 5))
        return True

    def read_lease(self):
        return self._world.view.lease

    def put_member(self, member):
        self._world.note("consul.put_member", ConsulUnavailable)
        self._world.view = replace(
            self._world.view, members={**self._world.view.members, member.name: member}
        )

    def write_record(self, session, record):
        self._world.note("consul.write_record", ConsulUnavailable)
        self._world.view = replace(self._world.view, record=record)

    def voters(self):
        return frozenset({f"{self._config.host_ip}:{self._config.ports.consul_server}"})

    def alive_agents(self):
        return frozenset(self._world.alive)


class FakePostgres:
    """A database that is a folder with one file in it, which tells whose it is."""

    def __init__(self, world, config):
        self._world, self._data = world, config.paths.postgres_data

    def __getattr__(self, name):
        return lambda *_, **__: self._world.note(f"postgres.{name}")

    def base_backup(self, upstream: Upstream):
        self._data.mkdir(exist_ok=True)
        (self._data / "owner").write_text(upstream.name)
        self._world.note("postgres.base_backup")

    def wait_receiving(self, timeout_s):
        self._world.note("postgres.wait_receiving")
        return True


class FakeServices(MemoryServices):
    def __init__(self, world):
        super().__init__(SERVICES, {"postgresql", "restservice"})
        self._world = world

    def _note(self, verb, name):
        super()._note(verb, name)
        self._world.note(f"services.{verb} {name}")


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "node"
    paths = Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log")
    return NodeConfig(host_ip="127.0.0.1", paths=paths, ports=Ports(consul_server=1))


@pytest.fixture
def world():
    return World()


@pytest.fixture
def clients(config, world, monkeypatch):
    """A prepared manager, alone and empty, that is to be called ``n2``."""
    monkeypatch.setattr(consul_agent, "installed_version", lambda: (1, 8, 7))
    monkeypatch.setattr(consul_agent, "_check", lambda _: world.note("consul validate"), raising=False)
    monkeypatch.setattr(emptiness, "contents", lambda _: ())
    monkeypatch.setattr(node, "Postgres", lambda *_: FakePostgres(world, config))
    monkeypatch.setattr(node.Configuration, "make_folders", lambda _: None)
    node.prepare(config)
    config.paths.postgres_data.mkdir(parents=True)
    (config.paths.postgres_data / "owner").write_text("own")
    world.calls.clear()
    return Clients(
        config,
        "n2",
        FakeConsul(world, config, "n2"),
        FakePostgres(world, config),
        FakeServices(world),
        *(None, None, None),
    )


@pytest.fixture
def leading(tmp_path, world):
    """The leader ``n1`` of a cluster of one."""
    folder = tmp_path / "leader"
    paths = Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log")
    config = NodeConfig(host_ip="127.0.0.9", paths=paths, ports=Ports(consul_server=1))
    pki.ensure_ca(paths.ssl)
    pki.issue(config, "n1")
    broker.ensure(config)
    ssh_files.prepare(config)
    for folder in (paths.consul_etc, paths.state):
        folder.mkdir(parents=True)
    consul_agent.agent_file(config).write_text('{"encrypt": "gossip"}')
    world.view = ClusterView(
        Lease("n1", "s1", 1, 9),
        members={"n1": Member("n1", "127.0.0.9")},
        announcement=Announcement(1, "n1", "127.0.0.9", 15432, 1),
    )
    return Clients(config, "n1", FakeConsul(world, config, "n1"), None, FakeServices(world), *[None] * 3)
