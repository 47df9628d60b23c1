"""What becomes of executions that somebody wants to end, that fail, or that take too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from manager.models import Event, Execution, Operation, TasksGraph
from tests.support.mgmtworker import Job, Workshop, workshop

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def built() -> Iterator[Workshop]:
    with workshop() as made, made.running():
        yield made


def events_of(job: Job) -> list[str]:
    with job.workshop.works.session() as session:
        found = select(Event.event_type).where(Event.execution_id == job.id, Event.event_type.is_not(None))
        return list(session.scalars(found.order_by(Event.reported_timestamp, Event.pk)))


def states_of(job: Job) -> set[str]:
    return {row.state for row in job.operations().values()}


def test_its_events_begin_with_its_beginning_and_end_with_its_end(built: Workshop) -> None:
    job = built.job()
    assert job.ends() == "terminated"
    said = events_of(job)
    assert (said[0], said[-1]) == ("workflow_started", "workflow_succeeded")
    assert said.count("sending_task") == said.count("task_succeeded") == 6
    assert said.count("workflow_succeeded") == 1


def test_in_a_dry_run_nothing_runs_and_no_instance_changes(built: Workshop) -> None:
    job = built.job(is_dry_run=True)
    assert job.ends() == "terminated"
    assert job.ledger.lines() == []
    assert set(job.site.states().values()) == {"uninitialized"}
    assert "sending_task" in events_of(job)


def test_what_asks_to_be_tried_again_is_tried_again(built: Workshop) -> None:
    job = built.job(prepare=(("retry", "create"),))
    assert job.ends() == "terminated"
    begun = job.ledger.count("begin")
    assert {begun[name] for name in begun if name.startswith("create")} == {2}
    assert events_of(job).count("task_rescheduled") == 3


def test_after_a_failure_nothing_new_begins(built: Workshop) -> None:
    job = built.job(prepare=(("break", "create"),))
    assert job.ends() == "failed"
    assert "create is broken" in (built.works.row(job.id).error or "")
    assert not any(name.startswith("start") for name in job.ledger.count("begin"))
    assert events_of(job)[-1] == "workflow_failed"


def test_cancelled_what_runs_is_waited_for(built: Workshop) -> None:
    job = built.job(prepare=(("hold", "create"),))
    job.begins("create", 2)
    job.wish("cancelling")
    job.ledger.release("create")
    assert job.ends() == "cancelled"
    assert set(job.ledger.count("end")) == set(job.ledger.count("begin"))
    assert not any(name.startswith("start") for name in job.ledger.count("begin"))


@pytest.mark.parametrize("wish", ["force_cancelling", "kill_cancelling"])
def test_cancelled_by_force_nobody_waits(built: Workshop, wish: str) -> None:
    job = built.job(prepare=(("hold", "create"),))
    job.begins("create", 2)
    job.wish(wish)
    assert job.ends() == "cancelled"
    assert job.ledger.count("end") == {}
    job.ledger.release("create")


def test_what_takes_longer_than_its_timeout_is_killed(built: Workshop) -> None:
    job = built.job(prepare=(("hold", "create"),), timeout_s=2.0)
    assert job.ends() == "failed"
    assert "timeout of 2 s" in (built.works.row(job.id).error or "")
    assert job.ledger.count("end") == {}


def test_an_execution_of_what_is_not_there_fails_and_says_so(built: Workshop) -> None:
    job = built.job(workflow="no such thing")
    assert job.ends() == "failed"
    assert "has no workflow no such thing" in (built.works.row(job.id).error or "")


def test_a_result_is_kept(built: Workshop) -> None:
    job = built.job()
    job.ends()
    assert {row.result for row in job.operations().values()} == {"create", "start"}
    assert states_of(job) == {"succeeded"}


def test_many_at_once_all_end(built: Workshop) -> None:
    jobs = [built.job() for _ in range(8)]
    assert [job.ends() for job in jobs] == ["terminated"] * 8


NONSENSE = {
    "a type that there is not": ("It cannot begin", [{"type": "Nonsense"}]),
    "an operation without its parameters": ("cannot be sent", [{"type": "RemoteTask"}]),
    "a change that cannot be made": (
        "It cannot be carried out: KeyError",
        [{"type": "UpdateInstancesTask", "parameters": {"counts": {}}}],
    ),
    "a subgraph that is not there": ("subgraph", [{"parameters": {"containing_subgraph": "?"}}]),
    "a circle": ("for each other", [{"id": "x", "dependencies": ["y"]}, {"id": "y", "dependencies": ["x"]}]),
}


@pytest.mark.parametrize(("error", "rows"), NONSENSE.values(), ids=NONSENSE)
def test_one_that_makes_no_sense_fails_alone(built: Workshop, rows: list[dict[str, Any]], error: str) -> None:
    """Clients can write tasks as well; whatever these are, the engine goes on with the others."""
    other = built.job(prepare=(("hold", "create"),))
    other.begins("create", 2)
    job = built.job(status="queued")
    with built.works.session() as session:
        execution = session.scalars(select(Execution).where(Execution.id == job.id)).unique().one()
        graph = TasksGraph(id=job.id, execution_pk=execution.pk, name="install", state="running")
        session.add(graph)
        session.flush()
        session.add_all(operation(graph.pk, job.id, row) for row in rows)
        execution.status, execution.resume, execution.resumable = "started", True, True
        session.commit()
    assert job.ends() == "failed"
    assert error in (built.works.row(job.id).error or "")
    other.ledger.release("create")
    assert other.ends() == "terminated"
    assert set(other.ledger.count("begin").values()) == {1}, "the engine had to be started again"


def operation(graph_pk: int, execution_id: str, row: dict[str, Any]) -> Operation:
    usual = {"type": "NOPLocalWorkflowTask", "name": "n", "state": "pending", "parameters": {}}
    told = {**usual, "id": "x", "dependencies": [], **row}
    told["dependencies"] = [f"{name} of {execution_id}" for name in told["dependencies"]]
    return Operation(tasks_graph_pk=graph_pk, **{**told, "id": f"{told['id']} of {execution_id}"})
