"""Executions that wait are let go when nothing is in their way any more (the engine asks for it)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from manager.executing import enter, release_waiting
from manager.models import Execution
from tests.support.executions import executions_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SOON, LATER = timedelta(seconds=-1), timedelta(hours=1)


@pytest.fixture(scope="module")
def deployment(module_deployment):
    return module_deployment


@pytest.fixture
def executions(database, deployment):
    with executions_of(database, deployment) as executions:
        yield executions


@pytest.fixture
def release(engine):
    def release() -> int:
        with Session(engine) as session:
            count = release_waiting(session)
            session.commit()
            return count

    return release


def test_the_first_of_the_queue_begins_when_the_one_before_has_ended(executions, release):
    running = executions.make("started")
    first, second = executions.make("queued", queue=True), executions.make("queued", queue=True)
    assert release() == 0
    executions.set(running, status="failed")
    assert release() == 1
    assert [executions.read(it).status for it in (first, second)] == ["pending", "queued"]


def test_a_forced_one_waits_for_none_on_its_deployment(executions, release):
    executions.make("started")
    forced = executions.make("queued", force=True, queue=True)
    assert release() == 1
    assert executions.read(forced).status == "pending"


def test_what_is_scheduled_begins_when_its_time_has_come(executions, release):
    due = executions.make("scheduled", scheduled_for=datetime.now(UTC) + SOON)
    later = executions.make("scheduled", scheduled_for=datetime.now(UTC) + LATER)
    assert release() == 1
    assert [executions.read(it).status for it in (due, later)] == ["pending", "scheduled"]


def test_what_is_due_while_another_one_runs_waits_in_the_queue(executions, release):
    executions.make("started")
    due = executions.make("scheduled", scheduled_for=datetime.now(UTC) + SOON)
    assert release() == 0
    assert executions.read(due).status == "queued"


def test_none_begins_beside_what_works_on_the_manager_itself(executions, release):
    executions.make("started", is_system_workflow=True, deployment_pk=None, workflow_id="update")
    waiting = executions.make("queued", force=True)
    assert release() == 0
    assert executions.read(waiting).status == "queued"


def test_what_waits_for_the_manager_itself_is_not_passed(executions, release):
    before = executions.make("queued")
    system = executions.make("queued", is_system_workflow=True, deployment_pk=None, workflow_id="update")
    executions.set(before, deployment_pk=None)
    behind = executions.make("queued")
    assert release() == 1
    assert [executions.read(it).status for it in (before, behind)] == ["pending", "queued"]
    executions.set(system, status="terminated")
    assert release() == 1
    assert executions.read(behind).status == "pending"


def test_none_begins_in_maintenance(rest, executions, release):
    waiting = executions.make("queued")
    rest.post("/maintenance/activate")
    try:
        assert release() == 0
    finally:
        rest.post("/maintenance/deactivate")
    assert release() == 1
    assert executions.read(waiting).status == "pending"


def test_none_is_let_go_beside_one_that_is_just_beginning(executions, release, engine):
    """It cannot be seen yet: so who lets others go waits until it can."""
    beginning, waiting = executions.make("terminated"), executions.make("queued")
    blocked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with Session(engine) as session, ThreadPoolExecutor(1) as pool:
        enter(session)
        session.execute(update(Execution).where(Execution.id == beginning).values(status="pending"))
        released = pool.submit(release)
        eventually(lambda: released.done() or session.scalar(blocked), 30, "it waits, or does not")
        session.commit()
        assert released.result(30) == 0
    assert executions.read(waiting).status == "queued"
