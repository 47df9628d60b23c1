"""A copy of what the agent runs cannot fail in its place, though there is nobody to give it the code."""

from __future__ import annotations

from pathlib import Path

from agent.ledger import Ledger
from agent.settings import Folder
from agent.world import Far
from manager.operations.message import Message
from manager.operations.running import run

MESSAGE = Message(id="o", attempt=0, context={"task_name": "far.run", "blueprint_id": "b"})


def test_a_copy_of_what_runs_answers_nothing(tmp_path: Path):
    # This agent knows no member: whoever looked for the code would fail.
    folder = Folder(tmp_path)
    ledger = Ledger(folder.ledger_file)
    ledger.open()
    ledger.begin(MESSAGE, resumable=False)
    assert run(MESSAGE, Far(folder, ledger, MESSAGE), "w") is None
