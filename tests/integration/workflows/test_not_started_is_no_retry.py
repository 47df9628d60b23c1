"""While a leader is drained its database takes no writes: an operation waits for that, and loses no retry."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from manager.models import Event
from tests.support.mgmtworker import BLUEPRINT, OPERATIONS, WITHIN_S, Job, Ledger, Workshop, workshop
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made, made.running():
        yield made


def test_an_operation_with_no_retries_begins_when_the_database_takes_writes_again(built: Workshop) -> None:
    other = built.job(prepare=(("hold", "create"),))
    other.begins("create", 2)  # The engine is there, on connections that may write.
    job = _without_retries(built)
    with _worker_read_only(built) as connection:
        go = "UPDATE executions SET status = 'pending' WHERE id = :id"
        connection.execute(text(go), {"id": job.id})
        eventually(lambda: _rescheduled(job), WITHIN_S, "it is told that an operation could not begin")
        assert job.ledger.lines() == []
    assert job.ends() == "terminated"
    assert set(job.ledger.count("begin").values()) == {1}
    assert {row.retries for row in job.operations().values()} == {0}
    other.ledger.release("create")
    other.ends()


def _without_retries(built: Workshop) -> Job:
    ledger = Ledger(Path(tempfile.mkdtemp(dir=built.folder)))
    blueprint = BLUEPRINT.format(function="again", folder=ledger.folder)
    site = built.works.site(
        blueprint.replace(", inputs:", ", max_retries: 0, inputs:"), {"p/ops.py": OPERATIONS}
    )
    return Job(built, site, ledger, built.execute(site, "install", status="queued"))


def _rescheduled(job: Job) -> bool:
    with job.workshop.works.session() as session:
        found = select(Event.event_type).where(Event.execution_id == job.id)
        told = set(session.scalars(found))
    return not told.isdisjoint({"task_rescheduled", "task_failed"})


@contextmanager
def _worker_read_only(built: Workshop) -> Iterator[Connection]:
    """For the processes of the worker alone, so that the engine can be watched as it stores what they say."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%-operation'"
    role = "ALTER ROLE cloudify IN DATABASE cloudify"
    with built.works.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"{role} SET default_transaction_read_only = on"))
        connection.execute(text(end))
        try:
            yield connection
        finally:
            connection.execute(text(f"{role} RESET default_transaction_read_only"))
            connection.execute(text(end))
            built.works.engine.dispose()
