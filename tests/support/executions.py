"""Executions as an engine would leave them, where none runs: they are made and moved in the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from manager.models import Deployment, Event, Execution, Operation, TasksGraph


class Executions:
    """Those of one deployment."""

    def __init__(self, database: Session, deployment: str) -> None:
        self.database = database
        self.deployment = deployment
        self.deployment_pk = database.scalar(select(Deployment.pk).where(Deployment.id == deployment))
        database.commit()

    def make(self, status: str = "started", **fields: Any) -> str:
        """One more: its id."""
        row = Execution(
            **{
                "id": str(uuid.uuid4()),
                "tenant_id": 1,
                "creator_id": 1,
                "deployment_pk": self.deployment_pk,
                "deployment_id": self.deployment,
                "workflow_id": "install",
                "status": status,
                "parameters": {},
                **fields,
            }
        )
        self.database.add(row)
        self.database.commit()
        return row.id

    def graph(self, execution: str, *operations: dict[str, Any], name: str = "install") -> str:
        """A graph of an execution with these operations: its id."""
        pk = self.database.scalar(select(Execution.pk).where(Execution.id == execution))
        graph = TasksGraph(id=str(uuid.uuid4()), execution_pk=pk, name=name, state="failed")
        self.database.add(graph)
        self.database.flush()
        default = {"type": "RemoteTask", "parameters": {}, "dependencies": []}
        rows = [
            Operation(**{"name": it["id"], **default, **it}, tasks_graph_pk=graph.pk) for it in operations
        ]
        self.database.add_all(rows)
        self.database.commit()
        return graph.id

    def set(self, identifier: str, **fields: Any) -> None:
        """Change one."""
        self.database.execute(update(Execution).where(Execution.id == identifier).values(**fields))
        self.database.commit()

    def read(self, identifier: str) -> Execution:
        """One as it is now."""
        self.database.expire_all()
        found = self.database.scalars(select(Execution).where(Execution.id == identifier)).unique().one()
        self.database.commit()
        return found

    def operations(self, graph: str) -> list[Operation]:
        """Those of a graph as they are now, in the order in which they were made."""
        self.database.expire_all()
        mine = select(Operation).join(Operation.tasks_graph).where(TasksGraph.id == graph)
        found = list(self.database.scalars(mine.order_by(Operation.pk)))
        self.database.commit()
        return found

    def events(self, identifier: str) -> list[str | None]:
        """The types of the events of one."""
        mine = select(Event.event_type).where(Event.execution_id == identifier).order_by(Event.pk)
        found = list(self.database.scalars(mine))
        self.database.commit()
        return found


@contextmanager
def executions_of(database: Session, deployment: str) -> Iterator[Executions]:
    """At the end there are none of that deployment."""
    try:
        yield Executions(database, deployment)
    finally:
        database.rollback()
        database.execute(delete(Execution).where(Execution.deployment_id == deployment))
        database.commit()
