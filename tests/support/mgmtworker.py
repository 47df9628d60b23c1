"""The service ``mgmtworker`` beside a real database and a real broker, and a ledger outside of both."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manager.gateway.operations import operations_settings_of
from manager.models import Operation
from manager.operations.app import make_app
from manager.workflows.answers import AnswersReader, Taken
from manager.workflows.model import Task, TaskType
from manager.workflows.sending import Sender, broker_of
from orchestrator.clients.programs import executable
from orchestrator.formation import broker
from tests.support.rest import ManagerNode, manager_node, stop
from tests.support.waiting import eventually
from tests.support.workflow_engine import Site, Works

WITHIN_S = 90.0
ENDED = ("terminated", "failed", "cancelled")

OPERATIONS = """
import os
import subprocess
import time

from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError, OperationRetry


def run(ctx, folder):
    name = ctx.operation.name.rpartition(".")[2]
    note(folder, f"begin {name} {ctx.instance.id}")
    if os.path.exists(os.path.join(folder, f"spawn {name}")):
        child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
        note(folder, f"spawned {name} {child.pid}")
    while os.path.exists(os.path.join(folder, f"hold {name}")):
        time.sleep(0.02)
    if os.path.exists(os.path.join(folder, f"break {name}")):
        raise NonRecoverableError(f"{name} is broken")
    if os.path.exists(os.path.join(folder, f"retry {name}")) and not ctx.operation.retry_number:
        raise OperationRetry("not yet", retry_after=0)
    note(folder, f"end {name} {ctx.instance.id}")
    return name


def note(folder, line):
    ledger = os.open(os.path.join(folder, "ledger"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(ledger, (line + "\\n").encode())
    os.close(ledger)


@operation(resumable=True)
def again(ctx, folder, **_):
    return run(ctx, folder)


@operation
def once(ctx, folder, **_):
    return run(ctx, folder)
"""

BLUEPRINT = """
node_types:
  thing:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {{implementation: p.ops.{function}, inputs: {{folder: {{default: "{folder}"}}}}}}
        start: {{implementation: p.ops.{function}, inputs: {{folder: {{default: "{folder}"}}}}}}
node_templates:
  one: {{type: thing}}
  two: {{type: thing}}
  three:
    type: thing
    relationships: [{{type: cloudify.relationships.depends_on, target: one}}]
"""


@dataclass
class Ledger:
    """What operations have written when they ran, and files that tell them what to do."""

    folder: Path

    def lines(self) -> list[str]:
        path = self.folder / "ledger"
        return path.read_text().splitlines() if path.exists() else []

    def count(self, what: str) -> Counter[str]:
        """How often each operation of each instance did begin, or end."""
        told = [line.removeprefix(f"{what} ") for line in self.lines() if line.startswith(f"{what} ")]
        return Counter(told)

    def tell(self, what: str, operation: str) -> None:
        """``hold``, ``break``, ``retry`` or let ``spawn`` all operations of that name from now on."""
        (self.folder / f"{what} {operation}").touch()

    def spawned(self, operation: str) -> list[int]:
        """The processes that those were told to ``spawn`` have started, and not waited for."""
        begin = f"spawned {operation} "
        return [int(line.removeprefix(begin)) for line in self.lines() if line.startswith(begin)]

    def release(self, operation: str) -> None:
        """Let those go on that are held."""
        (self.folder / f"hold {operation}").unlink()


@dataclass
class Job:
    """One execution, and what became of it."""

    workshop: Workshop
    site: Site
    ledger: Ledger
    id: str

    @property
    def status(self) -> str:
        return self.workshop.works.row(self.id).status

    def ends(self) -> str:
        """Wait for its end; how it ended."""
        eventually(lambda: self.status in ENDED, WITHIN_S, f"the execution ends: {self.ledger.lines()}")
        return self.status

    def begins(self, operation: str, times: int = 1) -> None:
        """Wait until an operation runs, on so many instances."""

        def begun() -> bool:
            return (
                sum(n for name, n in self.ledger.count("begin").items() if name.startswith(operation))
                >= times
            )

        eventually(begun, WITHIN_S, f"{operation} begins: {self.ledger.lines()}")

    def wish(self, status: str) -> None:
        """As REST does for somebody who wants it to end."""
        self.workshop.works.change(self.id, status=status)

    def operations(self) -> dict[str, Operation]:
        """Its operations, as the ledger calls them."""
        rows = self.workshop.works.operations(self.id)
        return {_name(row): row for row in rows if row.type == "RemoteTask"}

    def known_to_have_ended(self) -> Counter[str]:
        """How often those operations began whose success is stored, or lies in the broker as an answer."""
        answered = self.workshop.answered()
        begun = self.ledger.count("begin")
        ended = (
            name for name, row in self.operations().items() if row.state == "succeeded" or row.id in answered
        )
        return Counter({name: begun[name] for name in ended})


def _name(row: Operation) -> str:
    context = row.parameters["context"]
    return f"{context['operation']['name'].rpartition('.')[2]} {context['node_id']}"


@dataclass
class Workshop:
    """A manager's database, broker and ``mgmtworker``."""

    node: ManagerNode
    works: Works
    folder: Path
    broker: subprocess.Popen[bytes] | None = None
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_broker(self) -> None:
        """As the node starts it."""
        command = [executable("redis-server"), str(self.node.config.paths.etc / "broker.conf")]
        self.broker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.node.stack.callback(stop, self.broker)
        address = (self.node.config.host_ip, self.node.config.ports.broker)
        eventually(lambda: answers(address), WITHIN_S, "the broker listens")

    def restart_broker(self) -> None:
        """It loses all that it had."""
        assert self.broker is not None
        self.broker.kill()
        self.replace_broker()

    def replace_broker(self) -> None:
        """Wait until it has been killed, and start the next one at once, as the service manager does."""
        assert self.broker is not None
        self.broker.wait(WITHIN_S)
        self.start_broker()

    def answered(self) -> set[str]:
        """The ids of operations whose answers nobody has taken out of the broker."""
        with broker_of(make_app(operations_settings_of(self.node.config).broker)) as redis:
            found = AnswersReader(redis, lambda _: None, lambda _: None).waiting()
            return {answer.id for answer in next(found, Taken((), 0)).answers}

    def send_again(self, job: Job) -> None:
        """Have the messages of its operations in the broker, as an engine that dies then leaves them."""
        sender = Sender(make_app(operations_settings_of(self.node.config).broker))
        rows = [row for row in job.operations().values() if row.state in {"sending", "sent"}]
        sender.send([Task(row.id, row.name, TaskType.REMOTE, row.parameters) for row in rows])

    def start(self, point: str | None = None, number: int = 1) -> subprocess.Popen[bytes]:
        """The service; with ``point`` an engine alone, and where it is killed (see ``mgmtworker_killed``)."""
        if point is None:
            return self.launch("manager.workflows")
        return self.launch("tests.support.mgmtworker_killed", point, str(number))

    def start_to_lose_broker(self, point: str, number: int = 1) -> subprocess.Popen[bytes]:
        """An engine, whose broker is killed when it comes to this point."""
        assert self.broker is not None
        return self.launch("tests.support.mgmtworker_killed", point, str(number), str(self.broker.pid))

    def launch(self, *module: str) -> subprocess.Popen[bytes]:
        """A module as a process of the node, with its arguments."""
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            env={**os.environ, "CLOUDIFY_CONFIG": str(self.node.file)},
        )
        self.processes.append(process)
        return process

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The service for a while."""
        process = self.start()
        try:
            yield process
        finally:
            kill(process)

    def job(
        self,
        function: str = "again",
        workflow: str = "install",
        prepare: Iterable[tuple[str, str]] = (),
        **columns: Any,
    ) -> Job:
        """A new execution of a new deployment of three things. ``prepare``: see ``Ledger.tell``."""
        ledger = Ledger(Path(tempfile.mkdtemp(dir=self.folder)))
        for what, operation in prepare:
            ledger.tell(what, operation)
        blueprint = BLUEPRINT.format(function=function, folder=ledger.folder)
        site = self.works.site(blueprint, {"p/ops.py": OPERATIONS})
        return Job(self, site, ledger, self.execute(site, workflow, **columns))

    def execute(self, site: Site, workflow: str, **columns: Any) -> str:
        """As REST does for somebody who starts a workflow; its id."""
        identifier = site.execute(workflow, **{"status": "pending", "engine": None, **columns})
        self.works.change(identifier, engine=None)
        return identifier

    def close(self) -> None:
        """End what runs."""
        for process in self.processes:
            kill(process)


def answers(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(address, 1.0).close()
    except OSError:
        return False
    return True


def kill(process: subprocess.Popen[bytes]) -> None:
    """As ``kill -9``."""
    process.kill()
    process.wait()


def children(pid: int) -> list[int]:
    """The processes that it has started."""
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in told.split()]


def engine_and_worker(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """The processes of the service when it runs executions."""
    (engine,) = children(process.pid)
    (worker,) = children(engine)
    return engine, worker


def lives(pid: int) -> bool:
    """Whether there is such a process; one that has ended, and was not waited for yet, is none."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def dies(process: subprocess.Popen[bytes]) -> int:
    """Wait until it has ended by itself; its exit code."""
    eventually(lambda: process.poll() is not None, WITHIN_S, "mgmtworker ends by itself")
    return process.returncode


@contextmanager
def workshop() -> Iterator[Workshop]:
    """When it is over, nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="ledgers"))
    try:
        with manager_node() as node:
            broker.ensure(node.config)
            made = Workshop(node, Works(node), folder)
            made.start_broker()
            try:
                yield made
            finally:
                made.close()
    finally:
        shutil.rmtree(folder)
