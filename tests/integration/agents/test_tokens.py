"""An agent asks the REST service with the token of an execution, in its creator's name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from manager.agents.tokens import issue
from manager.gateway import settings_of
from manager.models import Event, Execution, Tenant, User
from manager.storage import engine_for
from tests.support.rest import ADMIN, TENANT, ManagerNode, RestClient, manager_node

pytestmark = pytest.mark.integration


class Served:
    """A manager with an execution that is going on, and its token."""

    def __init__(self, node: ManagerNode) -> None:
        self.engine = engine_for(settings_of(node.config).database, writers=2)
        node.start_process()
        self._client = node.client
        with Session(self.engine) as session:
            tenant = session.scalars(select(Tenant).where(Tenant.name == TENANT)).one()
            admin = session.scalars(select(User).where(User.username == ADMIN[0])).one()
            session.add(
                Execution(
                    id="e",
                    tenant=tenant,
                    creator=admin,
                    workflow_id="install",
                    status="started",
                    parameters={},
                )
            )
            session.flush()
            self.token = issue(session, "e", TENANT)
            session.commit()

    def agent(self, tenant: str | None = TENANT) -> RestClient:
        return self.client(self.token, tenant)

    def client(self, token: str, tenant: str | None = TENANT) -> RestClient:
        return self._client(user=None, tenant=tenant, headers={"Execution-Token": token})

    def admit(self, *, active: bool) -> None:
        with Session(self.engine) as session:
            session.execute(update(User).where(User.username == ADMIN[0]).values(active=active))
            session.commit()

    def end(self, status: str) -> None:
        with Session(self.engine) as session:
            session.execute(update(Execution).values(status=status))
            session.commit()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with manager_node() as node:
        made = Served(node)
        yield made
        made.engine.dispose()


@pytest.fixture(autouse=True)
def going_on(served: Served):
    served.end("started")


def test_it_reads_what_is_in_the_tenant(served: Served):
    assert served.agent().get("/executions/e").json()["status"] == "started"


def test_it_says_what_the_operation_says(served: Served):
    lines = [
        {"message": "one", "level": "info", "logger": "ctx"},
        {"message": "two", "event_type": "plugin_event"},
    ]
    assert served.agent().post("/events", {"execution_id": "e", "lines": lines}).status_code == 201
    with Session(served.engine) as session:
        found = session.scalars(select(Event).order_by(Event.reported_timestamp, Event.pk)).all()
        assert [(it.message, it.type) for it in found] == [("one", "cloudify_log"), ("two", "cloudify_event")]


@pytest.mark.parametrize("status", ["terminated", "failed", "cancelled"])
def test_it_is_worth_nothing_when_the_execution_is_over(served: Served, status: str):
    served.end(status)
    assert served.agent().get("/executions/e").status_code == 401


@pytest.mark.parametrize("tenant", [None, "other_tenant"])
def test_it_is_worth_nothing_in_another_tenant(served: Served, tenant: str | None):
    assert served.agent(tenant).get("/executions/e").status_code == 403


@pytest.mark.parametrize("path", ["/users", "/cluster", "/snapshots"])
def test_it_makes_nobody_an_administrator(served: Served, path: str):
    assert served.agent().get(path).status_code == 403


def test_it_is_forbidden_when_whoever_started_it_was_shut_out(served: Served):
    # It is another answer than that the execution is over: the agent says that the operation did not begin.
    served.admit(active=False)
    try:
        assert served.agent().get("/executions/e").status_code == 403
    finally:
        served.admit(active=True)


def test_a_made_up_one_is_refused(served: Served):
    assert served.client("x" * 43).get("/executions").status_code == 401
