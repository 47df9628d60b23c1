"""What an engine is needed for, by the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from manager.models import Agent, Execution, NodeInstance
from manager.models.executions import ACTIVE_STATUSES, END_STATUSES, WAITING_STATUSES
from manager.workflows.listener import listen
from manager.workflows.needs import Needs, look
from tests.support.rest import ManagerNode, manager_node
from tests.support.workflow_engine import Site, Works

pytestmark = pytest.mark.integration

BLUEPRINT = """
node_templates:
  one: {type: cloudify.nodes.Root}
"""
SCHEDULED = "scheduled"


@pytest.fixture(scope="module")
def node() -> Iterator[ManagerNode]:
    with manager_node() as made:
        yield made


@pytest.fixture(scope="module")
def site(node: ManagerNode) -> Site:
    return Works(node).site(BLUEPRINT)


@pytest.fixture
def needs(site: Site) -> Iterator[Callable[[], Needs]]:
    with site.works.session() as session:
        session.execute(update(Execution).values(status="terminated"))
        session.execute(delete(Agent))
        session.commit()
    connection = listen(site.works.settings.database)
    yield lambda: look(connection)
    connection.close()


def test_nothing(needs: Callable[[], Needs]) -> None:
    assert needs() == Needs(work=False, due_in_s=None)


@pytest.mark.parametrize("status", [*ACTIVE_STATUSES, *WAITING_STATUSES, *END_STATUSES])
def test_an_execution_that_is_not_over(site: Site, needs: Callable[[], Needs], status: str) -> None:
    site.execute("install", status=status)
    assert needs().engine == (status not in {SCHEDULED, *END_STATUSES})


@pytest.mark.parametrize("status", [*ACTIVE_STATUSES, *WAITING_STATUSES])
def test_what_works_on_the_manager_itself_is_done_by_rest(
    site: Site, needs: Callable[[], Needs], status: str
) -> None:
    site.execute("create_snapshot", status=status, is_system_workflow=True, scheduled_for=datetime.now(UTC))
    assert needs() == Needs()


@pytest.mark.parametrize(("ahead_s", "needed"), [(-1.0, True), (3600.0, False)])
def test_a_time_that_has_come(site: Site, needs: Callable[[], Needs], ahead_s: float, needed: Any) -> None:
    times = [datetime.now(UTC) + timedelta(seconds=ahead_s + more) for more in (0, 7200)]
    for time in times:
        site.execute("install", status=SCHEDULED, scheduled_for=time)
    found = needs()
    assert found.engine == needed
    assert found.due_in_s == pytest.approx(ahead_s, abs=600)


def test_agents(site: Site, needs: Callable[[], Needs]) -> None:
    with site.works.session() as session:
        (instance,) = session.scalars(select(NodeInstance))
        session.add(Agent(name="agent", node_instance=instance, state="started"))
        session.commit()
    assert needs().engine


def test_a_database_that_was_not_prepared_yet(site: Site, needs: Callable[[], Needs]) -> None:
    with site.works.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE executions RENAME TO not_yet")
        connection.commit()
        assert needs() == Needs()
        connection.exec_driver_sql("ALTER TABLE not_yet RENAME TO executions")
        connection.commit()
