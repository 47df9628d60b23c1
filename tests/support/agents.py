"""Real agents, and brokers of members that lead in turn."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from agent.settings import Folder, Settings
from manager.operations.agents import hostname
from manager.operations.app import make_app
from manager.operations.message import ANSWERS, TASK, Answer, Message, agent_queue
from manager.operations.settings import BrokerSettings
from orchestrator.clients.programs import executable
from orchestrator.config import NodeConfig, Ports
from orchestrator.formation import broker, pki
from orchestrator.paths import Paths
from tests.support.addresses import new_address
from tests.support.leading_rest import LeadingRest
from tests.support.rest import free_ports, stop
from tests.support.waiting import eventually

PASSWORD = "of-all-brokers"
NAME = "host_1"
WITHIN_S = 60.0


class Member:
    """A member with a broker, which runs while it leads, and the queues that its engine uses."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.host = str(config.host_ip)
        self._rest = LeadingRest(self.host, config.ports.rest)
        self.app = make_app(
            BrokerSettings(self.host, config.ports.broker, PASSWORD, config.paths.ssl / "ca.pem")
        )
        self.known: list[Answer] = []
        self._redis: subprocess.Popen[bytes] | None = None

    def lead(self) -> None:
        """Start the broker, and say that what it has is wanted."""
        self._rest.start()
        command = [executable("redis-server"), str(self.config.paths.etc / "broker.conf")]
        self._redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self._accepts, WITHIN_S, "the broker accepts connections")

    def _accepts(self) -> bool:
        assert self._redis is not None
        assert self._redis.poll() is None, "the broker has ended"
        try:
            with self.app.connection_for_write() as connection:
                connection.connect()
        except self.app.connection_for_write().connection_errors:
            return False
        return True

    def die(self) -> None:
        """The broker is killed, and what it knew is gone."""
        self._rest.stop()
        if self._redis is not None:
            self._redis.send_signal(signal.SIGCONT)
            self._redis.kill()
            self._redis.wait()
            self._redis = None

    def hang(self) -> None:
        """The broker says nothing any more, and its connections stay."""
        assert self._redis is not None
        self._redis.send_signal(signal.SIGSTOP)

    def send(self, message: Message) -> None:
        """As the engine does."""
        self.app.send_task(
            TASK, args=[message.model_dump(mode="json")], task_id=message.task_id, queue=agent_queue(NAME)
        )

    def answers(self) -> list[Answer]:
        """All that have come to this member."""
        with self.app.connection_for_write() as connection, connection.SimpleQueue(ANSWERS) as queue:
            while True:
                try:
                    said = queue.get(block=False)
                except Empty:
                    return self.known
                said.ack()
                self.known.append(Answer.model_validate(said.payload))

    def answer(self, message: Message) -> Answer:
        """The first one about this message."""
        return eventually(
            lambda: next((it for it in self.answers() if it.id == message.id), None),
            WITHIN_S,
            f"an answer to {message.id}",
        )

    def hears(self, name: str = NAME) -> bool:
        """Whether the agent answers a ping."""
        return bool(self.app.control.ping(destination=[hostname(name)], timeout=1.0))


class AgentProcess:
    """An agent as a process in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder / "agent")
        self.ran = folder / "ran"
        self.ran.touch()
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *module: str) -> subprocess.Popen[bytes]:
        """Run it. ``module``: what is run in its place, with the arguments that come first."""
        command = [sys.executable, "-m", *(module or ("agent",)), "--folder", str(self.folder.path), "run"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=dict(os.environ), stderr=log)
        return self._process

    def said(self) -> str:
        """Its log."""
        return self._log.read_text()

    def kill(self) -> None:
        """It ends without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """It is asked to end."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def script(self, body: str = "", **more: Any) -> Message:
        """An operation that notes that it ran, and then does this."""
        identifier = uuid.uuid4().hex
        source = f"#!/bin/bash\necho {identifier} >> {self.ran}\n{body}\n"
        return self.message("script_runner.tasks.run", {"script_source": source}, id=identifier, **more)

    def message(self, task_name: str, kwargs: dict[str, Any] | None = None, **more: Any) -> Message:
        """A message for this agent."""
        context = {
            "type": "operation",
            "task_name": task_name,
            "blueprint_id": "b",
            "deployment_id": "d",
            "tenant": {"name": "default_tenant"},
            "workflow_id": "install",
            "execution_id": "e",
            "execution_token": more.pop("token", "a token"),
            "node_id": "app_1",
            "node_name": "app",
            "host_id": NAME,
            "operation": {"name": "cloudify.interfaces.lifecycle.create", "max_retries": 60},
            "plugin": {"name": "x", "source": "x"},
            **more.pop("context", {}),
        }
        identifier = more.pop("id", None) or uuid.uuid4().hex
        defaults: dict[str, Any] = {"attempt": 0, "executor": "agent"}
        return Message(id=identifier, context=context, kwargs=kwargs or {}, **{**defaults, **more})

    def runs_of(self, message: Message) -> int:
        """How often it ran."""
        return self.ran.read_text().split().count(message.id)


class Bed:
    """Two members, and an agent that knows both."""

    def __init__(self, folder: Path) -> None:
        first = new_address()
        ports = free_ports(first, 2)
        hosts = (first, new_address())
        self.members = [_member(folder / str(i), host, *ports) for i, host in enumerate(hosts)]
        one, two = self.members
        pki.install_ca(two.config.paths.ssl, pki.read_ca(one.config.paths.ssl))
        for member in self.members:
            pki.issue(member.config, f"n-{member.host}")
            broker.install(member.config, PASSWORD)
        self.agent = AgentProcess(folder)
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Give the agent its settings."""
        one = self.members[0].config
        settings = Settings(
            name=NAME,
            members=tuple(member.host for member in self.members),
            broker_password=PASSWORD,
            broker_port=one.ports.broker,
            rest_port=one.ports.rest,
            rest_protocol="http",
            max_workers=3,
        )
        self.agent.folder.store(settings.model_copy(update=changes))
        self.trust(one)

    def trust(self, config: NodeConfig) -> None:
        """Give the agent the CA of that member."""
        shutil.copy(config.paths.ssl / "ca.pem", self.agent.folder.ca_file)

    def close(self) -> None:
        """Nothing is left."""
        self.agent.kill()
        for member in self.members:
            member.die()
            member.app.close()


def _member(folder: Path, host: str, broker_port: int, rest_port: int) -> Member:
    paths = Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log")
    for path in (paths.etc, paths.state, paths.run, paths.log):
        path.mkdir(parents=True)
    config = NodeConfig(host_ip=host, paths=paths, ports=Ports(broker=broker_port, rest=rest_port))
    pki.ensure_ca(paths.ssl)
    return Member(config)


@contextmanager
def bed() -> Iterator[Bed]:
    """When it is over, no process and no file of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="agents"))
    made = Bed(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
