"""Nothing begins of which nobody can say that it is wanted, and the agent says so."""

from __future__ import annotations

from pathlib import Path

from agent.ledger import Ledger
from agent.settings import Folder, Settings
from agent.world import Far
from manager.operations.message import Message, Outcome
from manager.operations.running import run

MESSAGE = Message(id="o", attempt=0, context={"task_name": "manager.operations.builtin.nothing"})


def test_without_a_leader_nothing_begins_and_that_is_the_answer(tmp_path: Path):
    folder = Folder(tmp_path)
    folder.store(Settings(name="host_1", members=("127.0.0.1",), broker_password="x", rest_port=1))
    folder.ca_file.touch()
    ledger = Ledger(folder.ledger_file)
    ledger.open()
    answer = run(MESSAGE, Far(folder, ledger, MESSAGE, patience_s=0), "w")
    assert answer is not None
    assert (answer.outcome, answer.recoverable) == (Outcome.NOT_STARTED, True)
    assert "wanted" in (answer.error or "")
    assert not ledger.is_copy(MESSAGE)
