"""The leader's broker and the manager's worker beside a real database, and operations to send to it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Empty
from typing import Any, Self

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from manager.files import Unit
from manager.gateway import settings_of
from manager.gateway.operations import operations_settings_of
from manager.models import (
    Blueprint,
    Deployment,
    Event,
    Execution,
    Node,
    NodeInstance,
    Operation,
    TasksGraph,
    Tenant,
)
from manager.operations.app import make_app
from manager.operations.message import ANSWERS, OPERATIONS, TASK, Answer, Message
from manager.storage import engine_for
from orchestrator.clients.programs import executable
from orchestrator.formation import broker
from tests.support.rest import ManagerNode, manager_node, stop
from tests.support.waiting import eventually

NUMBERS = count(1)
WITHIN_S = 30.0
AS_A_SERVICE = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
"""A developer may have set these; on a node nobody has."""

EMPTY = ("outputs", "workflows", "groups", "scaling_groups", "policy_types", "policy_triggers")


@dataclass
class Place:
    """A deployment with one node ``app`` on a node ``host``, and an execution that is going on."""

    bench: Bench
    deployment: str
    execution: str
    graph_pk: int
    app: str
    host: str
    content: Path

    def write(self, files: Mapping[str, str]) -> Self:
        """Put files into the blueprint's archive."""
        for name, text in files.items():
            path = self.content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def store(self, state: str = "sending", attempt: int = 0) -> str:
        """A new operation in the database."""
        identifier = uuid.uuid4().hex
        with self.bench.session() as session:
            session.add(
                Operation(
                    id=identifier,
                    tasks_graph_pk=self.graph_pk,
                    name="an operation",
                    state=state,
                    type="RemoteTask",
                    parameters={},
                    dependencies=[],
                    retries=attempt,
                )
            )
            session.commit()
        return identifier

    def message(self, task_name: str, kwargs: Mapping[str, Any] | None = None, **more: Any) -> Message:
        """A message for a new operation of the node ``app``."""
        attempt = more.pop("attempt", 0)
        state = more.pop("state", "sending")
        limits = {name: more.pop(name) for name in ("timeout_s", "timeout_recoverable") if name in more}
        context = {
            "type": "operation",
            "task_name": task_name,
            "blueprint_id": self.deployment,
            "deployment_id": self.deployment,
            "tenant": {"name": "default_tenant"},
            "workflow_id": "install",
            "execution_id": self.execution,
            "node_id": self.app,
            "node_name": "app",
            "host_id": self.host,
            "operation": {"name": "cloudify.interfaces.lifecycle.create", "max_retries": 60},
            "plugin": {"name": "x", "source": "x"},
            **more,
        }
        return Message(
            id=self.store(state, attempt),
            attempt=attempt,
            context=context,
            kwargs=dict(kwargs or {}),
            **limits,
        )

    def run(self, task_name: str, kwargs: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        """Send an operation, and wait for its answer."""
        message = self.message(task_name, kwargs, **more)
        self.bench.send(message)
        return self.bench.answer(message)

    def python(self, body: str, **more: Any) -> Answer:
        """Run this as the body of an operation with a ``ctx``."""
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        self.write(
            {"x/code.py".replace("code", name := f"code{next(NUMBERS)}"): f"def run(ctx, **inputs):\n{lines}"}
        )
        return self.run(f"{name}.run", **more)

    def properties(self, instance: str | None = None) -> dict[str, Any]:
        """The runtime properties of ``app``, or of another instance."""
        with self.bench.session() as session:
            return session.scalars(
                select(NodeInstance.runtime_properties).where(NodeInstance.id == (instance or self.app))
            ).one()

    def lines(self) -> list[Event]:
        """What the execution has said, in order."""
        with self.bench.session() as session:
            order = (Event.reported_timestamp, Event.pk)
            return list(
                session.scalars(select(Event).where(Event.execution_id == self.execution).order_by(*order))
            )


class Bench:
    """A node with a database and a broker. ``start_worker`` adds the worker."""

    def __init__(self, node: ManagerNode) -> None:
        self.node = node
        self.config = node.config
        self.settings = operations_settings_of(node.config)
        self.engine: Engine = engine_for(settings_of(node.config).database, writers=8)
        self.app = make_app(self.settings.broker)
        self._broker: subprocess.Popen[bytes] | None = None
        self._connection: Any = None
        self._answers: Any = None
        self._known: dict[str, Answer] = {}

    def session(self) -> Session:
        """On the product's database."""
        return Session(self.engine, expire_on_commit=False)

    def start_broker(self) -> None:
        """Start it, and wait until it answers."""
        command = [executable("redis-server"), str(self.config.paths.etc / "broker.conf")]
        self._broker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._connection = self.app.connection_for_write()
        self._connection.ensure_connection(max_retries=100, interval_start=0.1, interval_step=0)
        self._answers = self._connection.SimpleQueue(ANSWERS)

    def stop_broker(self) -> None:
        """End it, with all that is in it."""
        if self._broker is not None:
            self._connection.release()
            stop(self._broker)

    def close(self) -> None:
        """Let go of what is connected."""
        self.engine.dispose()

    def send(self, message: Message) -> None:
        """As the engine does."""
        self.app.send_task(
            TASK, args=[message.model_dump(mode="json")], task_id=message.task_id, queue=OPERATIONS
        )

    def look(self) -> None:
        """Take the answers that have arrived."""
        while True:
            try:
                said = self._answers.get(block=False)
            except Empty:
                return
            said.ack()
            answer = Answer.model_validate(said.payload)
            self._known.setdefault(f"{answer.id}.{answer.attempt}", answer)

    def answered(self, message: Message) -> Answer | None:
        """Its answer, if there is one by now."""
        self.look()
        return self._known.get(message.task_id)

    def answer(self, message: Message) -> Answer:
        """Its answer."""
        return eventually(
            lambda: self.answered(message), WITHIN_S, f"an answer to {message.context['task_name']}"
        )

    def state(self, message: Message) -> str:
        """Of the operation."""
        with self.session() as session:
            return session.scalars(select(Operation.state).where(Operation.id == message.id)).one()

    def started(self, message: Message) -> bool:
        """Whether it is stored as started."""
        return self.state(message) == "started"

    def place(self, files: Mapping[str, str] | None = None, **more: Any) -> Place:
        """A new deployment of a new blueprint with these files."""
        name = f"place{next(NUMBERS)}"
        unit = Unit("blueprints", "default_tenant", name, uuid.uuid4().hex)
        content = unit.content(self.settings.folders)
        content.mkdir(parents=True)
        with self.session() as session:
            graph, app, host = _store(session, name, unit.storage_id, more)
            session.commit()
            place = Place(self, name, f"execution-{name}", graph.pk, app, host, content)
        return place.write(files or {})

    @contextmanager
    def worker(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """The worker, as a process; it ends with the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.operations_worker"],
            env={**os.environ, **AS_A_SERVICE, "CLOUDIFY_CONFIG": str(self.node.file), **environment},
        )
        try:
            eventually(lambda: self.app.control.ping(timeout=0.5), WITHIN_S, "the worker answers")
            yield process
        finally:
            stop(process)


def _store(
    session: Session, name: str, storage_id: str, more: Mapping[str, Any]
) -> tuple[TasksGraph, str, str]:
    tenant = session.scalars(select(Tenant).where(Tenant.name == "default_tenant")).one()
    blueprint = Blueprint(
        id=name,
        tenant=tenant,
        storage_id=storage_id,
        archive_sha256="0" * 64,
        archive_name="archive.zip",
        archive_bytes=0,
        main_file_name="blueprint.yaml",
        plan={},
    )
    deployment = Deployment(
        id=name,
        tenant=tenant,
        blueprint=blueprint,
        inputs=more.get("inputs", {}),
        capabilities=more.get("capabilities", {}),
        **{name: {} for name in EMPTY},
        labels=[],
    )
    execution = Execution(
        id=f"execution-{name}",
        tenant=tenant,
        workflow_id="install",
        status="started",
        parameters={},
        deployment_id=name,
        blueprint_id=name,
    )
    session.add_all((blueprint, deployment))
    session.flush()
    execution.deployment_pk = deployment.pk
    host = _instance(session, tenant, deployment, "host", "cloudify.nodes.Compute", more, [], [])
    to_host = {"target_name": "host", "target_id": host, "type": "cloudify.relationships.contained_in"}
    planned = {"target_id": "host", "type": to_host["type"], "type_hierarchy": [to_host["type"]]}
    app = _instance(session, tenant, deployment, "app", "cloudify.nodes.Root", more, [to_host], [planned])
    graph = TasksGraph(id=uuid.uuid4().hex, execution=execution, name="install")
    session.add(graph)
    session.flush()
    return graph, app, host


def _instance(
    session: Session,
    tenant: Tenant,
    deployment: Deployment,
    name: str,
    kind: str,
    more: Mapping[str, Any],
    relationships: list[Any],
    planned: list[Any],
) -> str:
    identifier = f"{name}_{uuid.uuid4().hex[:6]}"
    node = Node(
        id=name,
        deployment=deployment,
        type=kind,
        type_hierarchy=["cloudify.nodes.Root", kind],
        properties=more.get(f"{name}_properties", {}),
        operations={},
        relationships=planned,
        plugins=[],
        plugins_to_install=[],
        host_id="host",
        number_of_instances=1,
        planned_number_of_instances=1,
        deploy_number_of_instances=1,
        min_number_of_instances=1,
        max_number_of_instances=-1,
    )
    session.add(
        NodeInstance(
            id=identifier,
            tenant_id=tenant.id,
            node=node,
            index=1,
            runtime_properties={},
            system_properties={},
            relationships=relationships,
            scaling_groups=[],
            host_id=relationships[0]["target_id"] if relationships else identifier,
        )
    )
    session.flush()
    return identifier


@contextmanager
def bench() -> Iterator[Bench]:
    """A prepared node with its broker; when it is over, nothing of it is left."""
    with manager_node() as node:
        broker.ensure(node.config)
        made = Bench(node)
        made.start_broker()
        node.stack.callback(made.stop_broker)
        node.stack.callback(made.close)
        yield made
