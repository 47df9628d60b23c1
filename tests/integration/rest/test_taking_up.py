"""What becomes of executions whose engine has died: they are freed to go on, or fail at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from manager.models import Event, Execution
from orchestrator.act.workflows import resume_workflows
from orchestrator.clients.product import Product
from orchestrator.model.action import AlreadyDone, Done, ResumeWorkflows
from orchestrator.record import workflows

pytestmark = pytest.mark.integration

DEAD, LIVING = "dead", "living"
HOLD = text("SELECT pg_advisory_lock(4, hashtext(:engine) & 2147483647)")


@pytest.fixture
def product(node) -> Iterator[Product]:
    product = Product(node.config)
    yield product
    product.close()


@pytest.fixture
def begun(database: Session) -> Iterator[object]:
    """Makes an execution as the engine of that name left it."""
    made: list[int] = []

    def begin(engine: str | None = DEAD, status: str = "started", **fields: object) -> int:
        execution = Execution(
            id=str(uuid.uuid4()),
            tenant_id=1,
            workflow_id=fields.pop("workflow_id", "install"),
            status=status,
            parameters={},
            engine=engine,
            **fields,
        )
        database.add(execution)
        database.commit()
        made.append(execution.pk)
        return execution.pk

    yield begin
    database.rollback()
    database.execute(delete(Execution).where(Execution.pk.in_(made)))
    database.commit()


def read(database: Session, pk: int) -> Execution:
    database.expire_all()
    return database.get_one(Execution, pk)


@pytest.mark.parametrize(
    ("status", "resumable", "resume"),
    [
        ("started", True, True),
        ("started", None, False),
        ("pending", None, False),
        ("cancelling", False, True),
        ("kill_cancelling", True, True),
    ],
)
def test_what_may_go_on_is_freed_for_the_next_engine(product, begun, database, status, resumable, resume):
    pk = begun(status=status, resumable=resumable)
    assert product.take_up_executions(7) == (1, 0)
    found = read(database, pk)
    assert (found.status, found.engine, found.term, found.resume) == (status, None, 7, resume)


def test_what_cannot_be_resumed_fails_at_once_and_waiting_clients_are_told(product, begun, database):
    pk = begun(resumable=False, workflow_id="migrate")
    assert product.take_up_executions(7) == (0, 1)
    found = read(database, pk)
    assert (found.status, found.engine) == ("failed", None)
    assert found.error == "Cannot resume - workflow not resumable: migrate"
    assert found.ended_at is not None
    (event,) = database.scalars(select(Event).where(Event.execution_pk == pk))
    assert (event.event_type, event.execution_id) == ("workflow_failed", found.id)
    assert event.message == f"'migrate' workflow execution failed: {found.error}"


def test_what_a_living_engine_works_on_is_left_alone(product, begun, database):
    pk = begun(engine=LIVING, resumable=False)
    with database.get_bind().connect() as other:
        other.execute(HOLD, {"engine": LIVING})
        assert product.take_up_executions(7) == (0, 0)
        assert read(database, pk).engine == LIVING
        other.invalidate()
    assert product.take_up_executions(7) == (0, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"engine": None, "status": "pending"},
        {"status": "terminated"},
        {"status": "failed"},
        {"engine": None, "status": "queued"},
        {"is_system_workflow": True},
    ],
)
def test_what_nobody_worked_on_stays_as_it_is(product, begun, database, fields):
    pk = begun(**fields)
    before = read(database, pk).status
    assert product.take_up_executions(7) == (0, 0)
    assert read(database, pk).status == before


def test_a_thousand_are_taken_up_in_one_go(product, begun, database):
    database.execute(
        text(
            "INSERT INTO executions (id, tenant_id, workflow_id, status, parameters, engine, resumable) "
            "SELECT 'many' || n, 1, 'install', 'started', '{}', :dead, n % 2 = 0 "
            "FROM generate_series(1, 1000) n"
        ),
        {"dead": DEAD},
    )
    database.commit()
    try:
        assert product.take_up_executions(7) == (500, 500)
        assert product.take_up_executions(7) == (0, 0)
    finally:
        database.execute(delete(Execution).where(Execution.id.like("many%")))
        database.commit()


def test_the_action_says_what_it_did_and_is_not_due_again_in_this_term(
    node, product, begun, monkeypatch, tmp_path
):
    told: list[str] = []
    monkeypatch.setattr("orchestrator.act.workflows.require_lease", lambda *_: "session")
    monkeypatch.setattr(
        "orchestrator.act.workflows.journal.tell", lambda _c, _t, _kind, text: told.append(text)
    )
    clients = SimpleNamespace(config=node.config, product=product)
    begun(resumable=True)
    begun(resumable=False)
    assert isinstance(resume_workflows(clients, ResumeWorkflows(8)), Done)
    assert told == ["1 interrupted executions go on, 1 failed: their workflows cannot be resumed"]
    assert workflows.resumed_term(node.config) == 8
    assert isinstance(resume_workflows(clients, ResumeWorkflows(9)), AlreadyDone)
    assert len(told) == 1
