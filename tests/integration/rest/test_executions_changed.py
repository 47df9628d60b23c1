"""Ending executions, and having them go on where they stood. No engine runs here: it would be told."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.support.executions import executions_of
from tests.support.shop import refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ENDED = ("terminated", "failed", "cancelled")
ENGINE = "an engine"
HOLD = text("SELECT pg_advisory_lock(4, hashtext(:engine) & 2147483647)")


@pytest.fixture(scope="module")
def deployment(module_deployment):
    return module_deployment


@pytest.fixture
def executions(database, deployment):
    with executions_of(database, deployment) as executions:
        yield executions


@pytest.fixture
def change(rest):
    return lambda identifier, action: rest.post(f"/executions/{identifier}", {"action": action})


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("cancel", "started", "cancelling"),
        ("cancel", "pending", "cancelling"),
        ("force-cancel", "started", "force_cancelling"),
        ("force-cancel", "cancelling", "force_cancelling"),
        ("kill", "started", "kill_cancelling"),
        ("kill", "cancelling", "kill_cancelling"),
        ("kill", "force_cancelling", "kill_cancelling"),
        *[
            ("cancel", status, None)
            for status in ("cancelling", "force_cancelling", "kill_cancelling", *ENDED)
        ],
        *[("force-cancel", status, None) for status in ("force_cancelling", "kill_cancelling", *ENDED)],
        *[("kill", status, None) for status in ("kill_cancelling", *ENDED)],
        *[
            ("resume", status, None)
            for status in ("pending", "cancelling", "queued", "scheduled", "terminated")
        ],
        *[("force-resume", status, None) for status in ("pending", "kill_cancelling", "terminated")],
    ],
)
def test_an_engine_is_told_what_to_do_or_it_is_refused(executions, change, action, before, after):
    identifier = executions.make(before, engine=ENGINE)
    answer = change(identifier, action)
    if after is None:
        assert refusal(answer) == (409, "conflict_error")
        assert f"in state: `{before}`" in answer.json()["message"]
        assert executions.read(identifier).status == before
    else:
        assert (answer.status_code, answer.json()["status"]) == (200, after)
        assert executions.events(identifier) == []


@pytest.mark.parametrize("action", ["cancel", "force-cancel", "kill"])
@pytest.mark.parametrize("status", ["queued", "scheduled", "pending"])
def test_what_has_not_begun_is_cancelled_at_once(executions, change, status, action):
    identifier = executions.make(status)
    answer = change(identifier, action).json()
    assert answer["status"] == "cancelled"
    assert answer["ended_at"] is not None
    assert executions.events(identifier) == ["workflow_cancelled"]


@pytest.mark.parametrize("action", ["cancel", "kill", "resume", "force-resume"])
def test_a_snapshot_ends_by_itself(executions, change, action):
    identifier = executions.make("failed", is_system_workflow=True, workflow_id="create_snapshot")
    assert refusal(change(identifier, action)) == (409, "conflict_error")


@pytest.mark.parametrize("body", [{}, {"action": "stop"}, {"action": None}, []])
def test_what_is_no_action(rest, executions, body):
    identifier = executions.make()
    assert refusal(rest.post(f"/executions/{identifier}", body)) == (400, "bad_parameters_error")


@pytest.mark.parametrize("action", ["cancel", "resume"])
@pytest.mark.parametrize("identifier", ["nothing", "a%00b"])
def test_one_that_is_not_there(change, identifier, action):
    assert refusal(change(identifier, action)) == (404, "not_found_error")


@pytest.mark.parametrize("action", ["resume", "force-resume"])
@pytest.mark.parametrize("status", ["failed", "cancelled", "started"])
def test_it_is_handed_to_the_next_engine(executions, change, status, action):
    identifier = executions.make(status, engine=ENGINE, resumable=True, error="it broke")
    answer = change(identifier, action).json()
    assert (answer["status"], answer["error"], answer["ended_at"]) == ("started", None, None)
    found = executions.read(identifier)
    assert (found.engine, found.resume) == (None, True)


def test_what_never_came_to_its_workflow_function_begins_anew(executions, change):
    identifier = executions.make("failed")
    assert change(identifier, "resume").json()["status"] == "pending"
    assert executions.read(identifier).resume is False


def test_a_workflow_that_is_not_resumable_is_not_resumed(executions, change):
    identifier = executions.make("failed", resumable=False)
    answer = change(identifier, "resume")
    assert refusal(answer) == (409, "conflict_error")
    assert "workflow not resumable: install" in answer.json()["message"]


def test_what_a_living_engine_works_on_is_not_resumed(executions, change, engine):
    identifier = executions.make("started", engine=ENGINE, resumable=True)
    with engine.connect() as other:
        other.execute(HOLD, {"engine": ENGINE})
        assert refusal(change(identifier, "resume")) == (409, "conflict_error")
        other.invalidate()
    eventually(
        lambda: change(identifier, "resume").status_code == 200, 30, "the lock is free, and it goes on"
    )


def test_it_may_not_go_on_beside_another_one(executions, change):
    identifier = executions.make("failed", resumable=True)
    executions.make("started")
    assert refusal(change(identifier, "resume")) == (400, "existing_running_execution_error")


def remote(identifier: str, state: str, **more: object) -> dict[str, object]:
    return {"id": identifier, "state": state, "retries": 3, **more}


def test_a_resume_tries_again_what_has_failed(executions, change, name):
    identifier = executions.make("failed", resumable=True)
    ids = [f"{name}-{state}" for state in ("succeeded", "failed", "started", "pending")]
    graph = executions.graph(identifier, *(remote(it, it.rpartition("-")[2], error="no") for it in ids))
    change(identifier, "resume")
    found = executions.operations(graph)
    assert [it.state for it in found] == ["succeeded", "pending", "started", "pending"]
    assert [it.retries for it in found] == [3, 0, 3, 3]
    assert (found[1].error, found[0].error) == (None, "no")
    assert found[0].tasks_graph.state == "running"


def test_a_forced_resume_tries_again_what_was_under_way(executions, change, name):
    identifier = executions.make("cancelled", resumable=True)
    states = ("sending", "sent", "started", "rescheduled", "failed")
    graph = executions.graph(identifier, *(remote(f"{name}-{it}", it) for it in states))
    change(identifier, "force-resume")
    found = executions.operations(graph)
    assert [(it.state, it.retries) for it in found] == [("pending", 0)] * len(states)


def test_what_is_tried_again_is_another_operation_for_whoever_ran_it(executions, change, name):
    """Attempts are counted anew: a late answer, or one that an agent keeps, may not count for a new one.

    And a worker that was told to kill an attempt would not begin another one of its name.
    """
    identifier = executions.make("failed", resumable=True)
    failed = remote(f"{name}-failed", "failed")
    inside = remote(f"{name}-inside", "failed", type="NOPLocalWorkflowTask")
    after = remote(
        f"{name}-after",
        "pending",
        dependencies=[failed["id"], inside["id"]],
        parameters={"containing_subgraph": failed["id"], "more": 1},
    )
    done = remote(f"{name}-done", "succeeded")
    graph = executions.graph(identifier, failed, inside, after, done)
    change(identifier, "resume")
    found = executions.operations(graph)
    assert found[0].id != failed["id"]
    assert [it.id for it in found[1:]] == [it["id"] for it in (inside, after, done)]
    assert found[2].dependencies == [found[0].id, inside["id"]]
    assert found[2].parameters == {"containing_subgraph": found[0].id, "more": 1}
