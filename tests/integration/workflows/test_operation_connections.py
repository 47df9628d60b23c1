"""A process that runs operations loses its connections now and then, and knows what that means."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from manager.operations.answering import Answers
from manager.operations.database import Database, DatabaseError
from manager.operations.message import Answer, Message, Outcome
from tests.support.operations import Bench
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def _message() -> Message:
    return Message(id=uuid.uuid4().hex, attempt=0, context={"task_name": "a test"})


def _answer(message: Message) -> Answer:
    return Answer(id=message.id, attempt=0, outcome=Outcome.SUCCEEDED)


def test_an_answer_is_tried_until_the_broker_is_there_again(quiet_bench: Bench) -> None:
    answers, first, second = Answers(quiet_bench.app), _message(), _message()
    answers.deliver(_answer(first))
    assert quiet_bench.answer(first).outcome == "succeeded"
    quiet_bench.stop_broker()
    thread = threading.Thread(target=answers.deliver, args=(_answer(second),))
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    quiet_bench.start_broker()
    assert quiet_bench.answer(second).outcome == "succeeded"
    thread.join(10)
    answers.close()


def test_whoever_may_not_wait_is_told_that_the_broker_is_not_there(quiet_bench: Bench) -> None:
    answers = Answers(quiet_bench.app)
    quiet_bench.stop_broker()
    try:
        with pytest.raises(Exception, match="refused"):
            answers.deliver(_answer(_message()), tries=2)
    finally:
        quiet_bench.start_broker()


def test_a_commit_that_comes_with_a_warning_counts_as_not_confirmed(quiet_bench: Bench) -> None:
    database = Database(quiet_bench.settings.database)
    with pytest.raises(DatabaseError, match="was not confirmed"):
        database.run("DO $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; END $$")
    assert database.run("SELECT 1") == [(1,)]
    database.close()


def test_a_connection_that_is_lost_is_made_anew_for_the_next_statement(quiet_bench: Bench) -> None:
    database = Database(quiet_bench.settings.database, {"double (int)": "SELECT 2 * $1"})
    assert database.run("EXECUTE double (%s)", (1,)) == [(2,)]
    ((pid,),) = database.run("SELECT pg_backend_pid()")
    other = Database(quiet_bench.settings.database)
    other.run("SELECT pg_terminate_backend(%s)", (pid,))
    eventually(lambda: other.run("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)) == [], 10, "it ends")
    with pytest.raises(DatabaseError):
        database.run("EXECUTE double (%s)", (1,))
    assert database.run("EXECUTE double (%s)", (1,)) == [(2,)]
    for one in (database, other):
        one.close()


def test_threads_take_turns(quiet_bench: Bench) -> None:
    database = Database(quiet_bench.settings.database)
    seen: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: seen.append(database.run("SELECT %s", (n,))[0][0]))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(seen) == list(range(8))
    database.close()
