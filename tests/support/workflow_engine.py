"""Deployments of real blueprints in a real database, and an engine whose operations are only on paper.

The engine carries graphs out by the product's own rules, and stores what the product's stores; but an
operation is answered by the test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from manager import deploying, dsl
from manager.events import Line
from manager.files import Unit
from manager.files.folders import Folders
from manager.gateway import settings_of
from manager.models import (
    Blueprint,
    Deployment,
    Event,
    Execution,
    NodeInstance,
    Operation,
    Tenant,
)
from manager.operations.message import Answer, Outcome
from manager.storage import Storage, engine_for
from manager.workflows import store
from manager.workflows.building import Graph as BuiltGraph
from manager.workflows.context import WorkflowContext
from manager.workflows.graph import Graph
from manager.workflows.model import Task
from manager.workflows.reading import Records
from manager.workflows.store import Batch
from tests.support.rest import ManagerNode
from tests.support.waiting import eventually
from tests.support.workflow_stories import HEAD

NUMBERS = count(1)
WITHIN_S = 60.0

Answers = Callable[[Task], Any]
"""What an operation returns; what it raises, it has failed with."""


@dataclass
class Site:
    """A deployment."""

    works: Works
    deployment: str
    content: Path
    said: list[Line] = field(default_factory=list)

    def execute(self, workflow_id: str, **columns: Any) -> str:
        """The id of a new execution, which an engine has begun to work on."""
        identifier = str(uuid.uuid4())
        with self.works.session() as session:
            deployment = session.scalars(select(Deployment).where(Deployment.id == self.deployment)).one()
            values: dict[str, Any] = {"status": "started", "parameters": {}, "engine": self.works.name}
            session.add(
                Execution(
                    id=identifier,
                    tenant_id=deployment.tenant_id,
                    deployment_pk=deployment.pk,
                    deployment_id=deployment.id,
                    blueprint_id=deployment.blueprint_id,
                    workflow_id=workflow_id,
                    **{**values, **columns},
                )
            )
            session.commit()
        return identifier

    def context(self, execution_id: str) -> WorkflowContext:
        """What a workflow function of that execution is given."""
        return WorkflowContext(Records(self.works.storage, execution_id), self.said.append)

    def states(self) -> dict[str, str]:
        """Of the instances, by node if there is one of it, else by id."""
        return {row.id: row.state for row in self.instances()}

    def instances(self) -> list[NodeInstance]:
        """All of them, in order."""
        with self.works.session() as session:
            deployment = session.scalars(select(Deployment).where(Deployment.id == self.deployment)).one()
            found = select(NodeInstance).join(NodeInstance.node).order_by(NodeInstance.pk)
            return list(session.scalars(found.where(NodeInstance.node.has(deployment_pk=deployment.pk))))


class Works:
    """The database of a node, and the engine on paper."""

    def __init__(self, node: ManagerNode) -> None:
        self.node = node
        self.name = uuid.uuid4().hex
        self.settings = settings_of(node.config)
        self.engine: Engine = engine_for(self.settings.database, writers=8)
        self.storage = Storage(self.engine)
        node.stack.callback(self.engine.dispose)

    @property
    def folders(self) -> Folders:
        """Of the node."""
        return self.settings.folders

    def session(self) -> Session:
        """On the product's database."""
        return Session(self.engine, expire_on_commit=False)

    def site(self, blueprint: str, files: Mapping[str, str] | None = None) -> Site:
        """A new deployment of a blueprint; ``files`` are in its archive as well."""
        name = f"site{next(NUMBERS)}"
        unit = Unit("blueprints", "default_tenant", name, uuid.uuid4().hex)
        content = unit.content(self.folders)
        for path, words in {"blueprint.yaml": HEAD + blueprint, **(files or {})}.items():
            (content / path).parent.mkdir(parents=True, exist_ok=True)
            (content / path).write_text(words)
        plan = dsl.parse(content, "blueprint.yaml")
        with self.session() as session:
            tenant = session.scalars(select(Tenant).where(Tenant.name == "default_tenant")).one()
            row = Blueprint(
                id=name,
                tenant_id=tenant.id,
                storage_id=unit.storage_id,
                archive_sha256="0" * 64,
                archive_name="archive.zip",
                archive_bytes=0,
                main_file_name="blueprint.yaml",
                plan=plan,
            )
            session.add(row)
            session.flush()
            deployment = Deployment(id=name, tenant_id=tenant.id, blueprint_pk=row.pk)
            deploying.add(session, deployment, dsl.prepare(plan, {}))
            session.commit()
        return Site(self, name, content)

    def turn(self, execution_id: str, answers: Answers) -> bool:
        """Carry out all graphs of an execution that are there; whether there were any."""
        with self.session() as session:
            pk = session.scalars(select(Execution.pk).where(Execution.id == execution_id)).one()
            (facts,) = store.read(session, [pk])
            graphs = store.running_graphs(session, [pk], [])
            for found in graphs:
                batch = Batch()
                graph = Graph(found.tasks)
                while (state := graph.outcome()) is None:
                    step = graph.advance(0.0)
                    batch.effects += [(facts, task) for task in step.done]
                    for task in step.sent:
                        graph.answer(_answer(task, answers), 0.0)
                batch.tasks = {task.id: task for task in graph.changes()}
                batch.graphs[found.pk] = state
                store.write(session, batch, self.name)
            session.commit()
        return bool(graphs)

    def run(self, execution_id: str, workflow: Iterator[Any], answers: Answers) -> list[str]:
        """Run one of our own workflows; the names of its graphs. Raises what it raises."""
        names = []
        for graph in workflow:
            names.append(graph.name)
            self.carry_out(execution_id, graph, answers)
        return names

    def carry_out(self, execution_id: str, graph: BuiltGraph, answers: Answers) -> None:
        """Store a graph, and do what is in it."""
        with self.session() as session:
            pk = session.scalars(select(Execution.pk).where(Execution.id == execution_id)).one()
            store.save_graph(session, pk, graph.name, graph.planned())
            session.commit()
        self.turn(execution_id, answers)

    def row(self, execution_id: str) -> Execution:
        """An execution as it is now."""
        with self.session() as session:
            return session.scalars(select(Execution).where(Execution.id == execution_id)).unique().one()

    def change(self, execution_id: str, **values: Any) -> None:
        """Change an execution, and tell whoever wants to know."""
        with self.session() as session:
            session.execute(update(Execution).where(Execution.id == execution_id).values(values))
            session.execute(text("NOTIFY executions"))
            session.commit()

    def lines(self, execution_id: str) -> list[tuple[str | None, str]]:
        """The level and the message of what it has logged."""
        with self.session() as session:
            found = select(Event.level, Event.message).where(Event.execution_id == execution_id)
            return [(row.level, row.message) for row in session.execute(found.order_by(Event.pk))]

    def events(self, execution_id: str, event_type: str) -> list[Event]:
        """Its events of one type, in order."""
        with self.session() as session:
            found = select(Event).where(Event.execution_id == execution_id, Event.event_type == event_type)
            return list(session.scalars(found.order_by(Event.pk)))

    def operations(self, execution_id: str) -> list[Operation]:
        """All tasks that were stored of it."""
        with self.session() as session:
            mine = Operation.tasks_graph.has(
                execution=session.scalars(select(Execution).where(Execution.id == execution_id))
                .unique()
                .one()
            )
            return list(session.scalars(select(Operation).where(mine).order_by(Operation.pk)))


def _answer(task: Task, answers: Answers) -> Answer:
    try:
        return Answer(id=task.id, attempt=task.retries, outcome=Outcome.SUCCEEDED, result=answers(task))
    except RuntimeError as error:
        return Answer(id=task.id, attempt=task.retries, outcome=Outcome.FAILED, error=str(error))


@dataclass
class Custom:
    """A process that runs a workflow of a blueprint."""

    works: Works
    execution_id: str
    process: subprocess.Popen[bytes]

    def ended(self) -> tuple[str, str | None]:
        """Wait for its end; how it was, and why."""
        eventually(lambda: self.process.poll() is not None, WITHIN_S, "the workflow's process ends")
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.read().splitlines()[-1])
        assert (self.process.returncode == 0) == (told["outcome"] == "succeeded")
        return told["outcome"], told["error"]

    def carried_out(self, answers: Answers) -> tuple[str, str | None]:
        """The same, and all its graphs are carried out meanwhile."""
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(0.02):
                self.works.turn(self.execution_id, answers)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            return self.ended()
        finally:
            over.set()
            thread.join()


@contextmanager
def custom(works: Works, execution_id: str, stderr: IO[bytes] | None = None) -> Iterator[Custom]:
    """The process for an execution, as the engine starts it; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "manager.workflows.custom", execution_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "CLOUDIFY_CONFIG": str(works.node.file), "PYTHONDONTWRITEBYTECODE": ""},
    )
    try:
        yield Custom(works, execution_id, process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
