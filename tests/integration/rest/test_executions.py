"""Executions as clients read them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete

from manager.models import Execution
from tests.support.shop import ids, refusal

pytestmark = pytest.mark.integration

KEYS = {
    *("id", "workflow_id", "status", "status_display", "is_dry_run", "deployment_id", "blueprint_id"),
    *("created_at", "started_at", "ended_at", "scheduled_for", "error", "parameters", "visibility"),
    *("tenant_name", "created_by", "is_system_workflow"),
}


@pytest.fixture
def executions(database, name):
    """One of each status, of a deployment that nobody has any more, and one of the manager itself."""
    statuses = ("pending", "started", "queued", "terminated", "failed", "cancelled")
    rows = [
        Execution(
            id=str(uuid.uuid4()),
            tenant_id=1,
            creator_id=1,
            deployment_id=name,
            blueprint_id=f"{name}-blueprint",
            workflow_id="install",
            status=status,
            parameters={"place": place},
            error="it broke" if status == "failed" else None,
            started_at=datetime(2017, 4, place + 1, 12, 12, 36, 626000, UTC),
        )
        for place, status in enumerate(statuses)
    ]
    rows.append(
        Execution(
            id=str(uuid.uuid4()),
            tenant_id=1,
            deployment_id=name,
            workflow_id="create_snapshot",
            status="terminated",
            parameters={},
            is_system_workflow=True,
        )
    )
    database.add_all(rows)
    database.commit()
    yield [row.id for row in rows]
    database.execute(delete(Execution).where(Execution.deployment_id == name))
    database.commit()


def test_one_execution(rest, executions, name):
    found = rest.get(f"/executions/{executions[3]}").json()
    assert set(found) >= KEYS
    assert (found["status"], found["status_display"]) == ("terminated", "completed")
    assert (found["deployment_id"], found["parameters"]) == (name, {"place": 3})
    assert (found["started_at"], found["ended_at"]) == ("2017-04-04T12:12:36.626Z", None)
    failed = rest.get(f"/executions/{executions[4]}").json()
    assert (failed["status_display"], failed["error"]) == ("failed", "it broke")
    assert rest.get(f"/executions/{executions[0]}?_include=id").json() == {"id": executions[0]}


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", {0, 1, 2, 3, 4, 5}),
        ("&_include_system_workflows=False", {0, 1, 2, 3, 4, 5}),
        ("&_include_system_workflows=true", {0, 1, 2, 3, 4, 5, 6}),
        ("&_include_system_workflows=True&is_system_workflow=true", {6}),
        ("&status=started&status=failed", {1, 4}),
        ("&workflow_id=install&_range=started_at,2017-04-02,2017-04-03T23:59:59Z", {1, 2}),
        ("&_sort=-started_at&_offset=1&_size=2", {4, 3}),
        ("&status_display=completed", None),
        ("&_include_system_workflows=perhaps", None),
    ],
)
def test_the_list(rest, executions, name, query, places):
    answer = rest.get(f"/executions?deployment_id={name}{query}")
    if places is None:
        assert refusal(answer) == (400, "bad_parameters_error")
    else:
        assert set(ids(answer)) == {executions[place] for place in places}


@pytest.mark.parametrize("identifier", ["nothing", "a%00b"])
def test_one_that_is_not_there(rest, identifier):
    assert refusal(rest.get(f"/executions/{identifier}")) == (404, "not_found_error")


def test_executions_of_a_deployment_that_is_not_there(rest, executions, name):
    answer = rest.get(f"/executions?deployment_id={name}-2")
    assert refusal(answer) == (404, "not_found_error")
    assert answer.json()["message"] == f"Requested `Deployment` with ID `{name}-2` was not found"
    # This one is there, though none of its executions is asked for.
    assert ids(rest.get(f"/executions?deployment_id={name}&status=scheduled")) == []
