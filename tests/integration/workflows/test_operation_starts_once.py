"""An operation starts once, and only when that is stored for good: what else arrives starts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from manager.gateway.operations import operations_settings_of
from manager.models import Execution, Operation
from manager.operations.database import Database, DatabaseError, Row
from manager.operations.fence import STATEMENTS
from manager.operations.message import Answer, Message, Outcome
from manager.operations.on_manager import Manager
from manager.workflows import store
from tests.support.operations import Bench, Place
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LEDGER = """
from cloudify.decorators import operation

@operation(resumable=True)
def run(ctx, ledger, **_):
    with open(ledger, "a") as stream:
        stream.write(f"{ctx.task_id} {ctx.operation.retry_number}\\n")

def not_resumable(ctx, ledger, **_):
    run(ctx, ledger)
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Where operations write that they have run."""
    tmp_path.chmod(0o777)
    path = tmp_path / "ledger"
    path.touch()
    return path


def _written(ledger: Path, message: Message) -> list[str]:
    return [line for line in ledger.read_text().splitlines() if line.startswith(message.id)]


def _passed(bench: Bench, place: Place) -> None:
    """Wait until everything that was sent before has been looked at."""
    assert place.run("manager.operations.builtin.nothing").outcome == "succeeded"
    eventually(lambda: not _busy(bench), 20, "the worker is idle")


def _busy(bench: Bench) -> bool:
    inspect = bench.app.control.inspect(limit=1)
    return any(inspect.active().values()) or any(inspect.reserved().values())


def test_it_is_stored_as_started_before_it_runs(place: Place, ledger: Path) -> None:
    place.write({"x/book.py": LEDGER})
    for name, resumable in (("run", True), ("not_resumable", False)):
        message = place.message(f"book.{name}", {"ledger": str(ledger)})
        place.bench.send(message)
        assert place.bench.answer(message).outcome == "succeeded"
        with place.bench.session() as session:
            row = session.query(Operation).where(Operation.id == message.id).one()
        assert (row.state, row.resumable, row.retries) == ("started", resumable, 0)
        assert row.started_at is not None
        assert row.manager_name == place.bench.config.host_ip


def test_a_message_that_arrives_twice_runs_once(place: Place, ledger: Path) -> None:
    place.write({"x/book.py": LEDGER})
    message = place.message("book.run", {"ledger": str(ledger)})
    for _ in range(5):
        place.bench.send(message)
    place.bench.answer(message)
    _passed(place.bench, place)
    assert len(_written(ledger, message)) == 1


@pytest.mark.parametrize("state", ["pending", "started", "succeeded", "failed", "rescheduled"])
def test_what_is_not_sent_does_not_start(place: Place, ledger: Path, state: str) -> None:
    place.write({"x/book.py": LEDGER})
    message = place.message("book.run", {"ledger": str(ledger)}, state=state)
    place.bench.send(message)
    _passed(place.bench, place)
    assert (_written(ledger, message), place.bench.answered(message)) == ([], None)
    assert place.bench.state(message) == state


@pytest.mark.parametrize("name", ["book.run", "manager.operations.builtin.nothing"])
def test_an_attempt_that_is_out_of_date_does_not_start(place: Place, ledger: Path, name: str) -> None:
    place.write({"x/book.py": LEDGER})
    message = place.message(name, {"ledger": str(ledger)}, attempt=1)
    old = message.model_copy(update={"attempt": 0})
    place.bench.send(old)
    _passed(place.bench, place)
    assert (_written(ledger, message), place.bench.answered(old)) == ([], None)
    assert place.bench.state(message) == "sending"
    place.bench.send(message)
    place.bench.answer(message)
    assert place.bench.state(message) == "started"


@pytest.mark.parametrize("status", ["failed", "cancelled", "force_cancelling", "kill_cancelling"])
def test_an_execution_that_is_over_starts_nothing_more(place: Place, ledger: Path, status: str) -> None:
    place.write({"x/book.py": LEDGER})
    message = place.message("book.run", {"ledger": str(ledger)})
    with place.bench.session() as session:
        session.execute(update(Execution).where(Execution.id == place.execution).values(status=status))
        session.commit()
    place.bench.send(message)
    other = place.bench.place()
    _passed(place.bench, other)
    assert (_written(ledger, message), place.bench.answered(message)) == ([], None)


@pytest.mark.parametrize("name", ["book.run", "manager.operations.builtin.nothing"])
def test_a_database_that_takes_no_writes_starts_nothing(place: Place, ledger: Path, name: str) -> None:
    place.write({"x/book.py": LEDGER})
    with _read_only(place.bench):
        # Each process of the worker notices first that its connection is gone.
        for _ in range(20):
            message = place.message(name, {"ledger": str(ledger)})
            place.bench.send(message)
            answer = place.bench.answer(message)
            assert (answer.outcome, answer.recoverable) == ("not_started", True)
            assert "It was not started" in str(answer.error)
            assert (_written(ledger, message), place.bench.state(message)) == ([], "sending")
            if "read-only transaction" in str(answer.error):
                break
        else:
            raise AssertionError(f"refused for another reason: {answer.error}")
    # The same process starts the next one, on a connection that it has made anew.
    assert place.run("manager.operations.builtin.nothing").outcome == "succeeded"


class CutOnce(Database):
    """A connection that breaks when the first commit is done, before that is known."""

    cut = False

    def run(self, *arguments: Any) -> list[Row]:
        rows = super().run(*arguments)
        if not self.cut:
            self.cut = True
            self.close()
            raise DatabaseError("The connection was cut.")
        return rows


def test_a_commit_of_unknown_outcome_is_asked_for_again_and_only_by_who_asked(place: Place) -> None:
    settings = operations_settings_of(place.bench.config)
    message = place.message("manager.operations.builtin.nothing")
    starts = []
    for database in (CutOnce(settings.database, STATEMENTS), Database(settings.database, STATEMENTS)):
        starts.append(Manager(settings, database).start(message, resumable=False))
        database.close()
    assert starts == [True, False]


@pytest.mark.parametrize(("outcome", "retries"), [("not_started", 0), ("retry", 1)])
def test_an_answer_that_an_earlier_engine_had_left_counts_alike(
    place: Place, outcome: str, retries: int
) -> None:
    identifier = place.store("started")
    answer = Answer(id=identifier, attempt=0, outcome=Outcome(outcome), error="later")
    with place.bench.session() as session:
        store.write(session, store.Batch(strays=[answer]), "an engine")
        session.commit()
        row = session.query(Operation).where(Operation.id == identifier).one()
        assert (row.state, row.retries) == ("rescheduled", retries)
    (event,) = [line for line in place.lines() if line.event_type == "task_rescheduled"]
    assert event.message == "Task rescheduled 'an operation' -> later"


def test_what_is_answered_after_the_end_is_stored_and_not_told(place: Place) -> None:
    """Who waits for an execution has left when it has ended."""
    identifier = place.store("started")
    with place.bench.session() as session:
        session.query(Execution).where(Execution.id == place.execution).update({"status": "cancelled"})
        answer = Answer(id=identifier, attempt=0, outcome=Outcome.SUCCEEDED)
        store.write(session, store.Batch(strays=[answer]), "an engine")
        session.commit()
        row = session.query(Operation).where(Operation.id == identifier).one()
        assert row.state == "succeeded"
    assert place.lines() == []


@contextmanager
def _read_only(bench: Bench) -> Iterator[None]:
    """The database as the fence of a leader leaves it, for the worker."""
    # The connections that there are learn of it by being made anew.
    running = "FROM pg_stat_activity WHERE application_name = 'mgmtworker-operation'"
    end = f"SELECT pg_terminate_backend(pid) {running}"
    set_user = "ALTER ROLE cloudify IN DATABASE cloudify"
    _execute(bench, f"{set_user} SET default_transaction_read_only = on", end)
    try:
        yield
    finally:
        writable = "SET default_transaction_read_only = off"
        _execute(bench, writable, f"{set_user} RESET default_transaction_read_only", end)
        bench.engine.dispose()


def _execute(bench: Bench, *statements: str) -> None:
    with bench.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
