"""The agent forks processes while a thread of it uses the ledger: each of them can use it, too."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.ledger import Ledger
from manager.operations.message import Message
from tests.support.waiting import eventually

MESSAGE = Message(id="o", attempt=0, context={})
FORKS = 50


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """In use by another thread all the time."""
    made = Ledger(tmp_path / "ledger.db")
    made.open()
    enough = threading.Event()

    def use() -> None:
        while not enough.is_set():
            made.undelivered()

    thread = threading.Thread(target=use)
    thread.start()
    yield made
    enough.set()
    thread.join()


def fork(ledger: Ledger) -> int:
    """A process that asks the ledger, and ends."""
    if pid := os.fork():
        return pid
    ledger.is_copy(MESSAGE)
    os._exit(0)


def test_a_process_that_was_forked_meanwhile_can_use_it(ledger: Ledger):
    left = {fork(ledger) for _ in range(FORKS)}

    def all_ended() -> bool:
        left.difference_update({pid for pid in left if os.waitpid(pid, os.WNOHANG)[0]})
        return not left

    try:
        eventually(all_ended, 60.0, "no process hangs")
    finally:
        for pid in left:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
