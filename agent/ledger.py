"""What the agent has begun, and what became of it: a file that outlives the agent, and the leader.

An operation is known by its id and the number of the attempt. It is noted as started before anything of it
runs, and its answer is noted before it is sent: so a message that comes twice runs once, and an answer is
never lost. An answer is kept for a day after it was delivered, as the leader that had it may not have lived
to store it: the next leader then sends the message again, and is given the same answer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from manager.operations.message import Answer, Message, Outcome

KEPT_S = 24 * 3600.0
BUSY_S = 30.0

TABLES = """
CREATE TABLE IF NOT EXISTS operations (
    id TEXT NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL, resumable INTEGER NOT NULL,
    message TEXT NOT NULL, answer TEXT, begun_at REAL NOT NULL, answered_at REAL, delivered_at REAL,
    PRIMARY KEY (id, attempt)
);
CREATE TABLE IF NOT EXISTS lines (number INTEGER PRIMARY KEY, tenant TEXT, token TEXT, body TEXT);
"""
BEGIN = """
INSERT INTO operations (id, attempt, state, resumable, message, begun_at)
VALUES (:id, :attempt, 'started', :resumable, :message, :now)
ON CONFLICT (id, attempt) DO UPDATE
SET state = 'started', message = excluded.message, begun_at = excluded.begun_at
WHERE state = 'interrupted'
"""
DELIVER_AGAIN = (
    "UPDATE operations SET delivered_at = NULL WHERE id = ? AND attempt = ? AND state = 'answered'"
)
IS_COPY = "SELECT 1 FROM operations WHERE id = ? AND attempt = ? AND state <> 'interrupted'"
ANSWER = """
INSERT INTO operations (id, attempt, state, resumable, message, answer, begun_at, answered_at)
VALUES (:id, :attempt, 'answered', 0, '', :answer, :now, :now)
ON CONFLICT (id, attempt) DO UPDATE
SET state = 'answered', message = '', answer = excluded.answer, answered_at = excluded.answered_at
WHERE state <> 'answered'
"""
UNDELIVERED = """
SELECT answer FROM operations WHERE state = 'answered' AND delivered_at IS NULL ORDER BY answered_at LIMIT ?
"""
DELIVERED = "UPDATE operations SET delivered_at = ? WHERE id = ? AND attempt = ?"
INTERRUPTED = "SELECT message FROM operations WHERE state = 'interrupted' ORDER BY begun_at"
LET_GO = "DELETE FROM operations WHERE state = 'answered' AND delivered_at < ?"
WAS_INTERRUPTED = (
    "The agent was restarted while it ran. It is not resumable, so it is not known how far it came."
)


Lines = tuple[int, str, str, str]
"""What an operation said: a number, tenant, token, and the body of the request."""


_IN_USE = threading.RLock()
"""No process is forked while a thread is in SQLite: its locks would be held for ever in the new process."""

os.register_at_fork(before=_IN_USE.acquire, after_in_parent=_IN_USE.release, after_in_child=_IN_USE.release)


class Ledger:
    """Safe for threads and processes: each call has a connection of its own. Raises ``sqlite3.Error``."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock

    def open(self) -> None:
        """Have the file. To be called once, before anything else."""
        self._path.touch(mode=0o600)
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(TABLES)

    def begin(self, message: Message, *, resumable: bool) -> bool:
        """Note that it starts; False: it may not, as it has before.

        If it has an answer, that is delivered again: whoever asks does not have it.
        """
        noted = {
            "id": message.id,
            "attempt": message.attempt,
            "resumable": resumable,
            "message": message.model_dump_json(),
            "now": self._clock(),
        }
        with self._connected() as connection:
            if connection.execute(BEGIN, noted).rowcount:
                return True
            connection.execute(DELIVER_AGAIN, (message.id, message.attempt))
            return False

    def is_copy(self, message: Message) -> bool:
        """Whether it runs already, or has its answer; that is delivered again then.

        To be asked before anything of a message can fail: a copy that fails says nothing of what runs.
        """
        known = (message.id, message.attempt)
        with self._connected() as connection:
            connection.execute(DELIVER_AGAIN, known)
            return connection.execute(IS_COPY, known).fetchone() is not None

    def answer(self, answer: Answer) -> None:
        """Note what became of it. The first answer counts."""
        noted = {
            "id": answer.id,
            "attempt": answer.attempt,
            "answer": answer.model_dump_json(),
            "now": self._clock(),
        }
        with self._connected() as connection:
            connection.execute(ANSWER, noted)

    def undelivered(self, limit: int = 100) -> list[Answer]:
        """Answers that nobody has been given yet, the oldest first."""
        with self._connected() as connection:
            rows = connection.execute(UNDELIVERED, (limit,)).fetchall()
        return [Answer.model_validate_json(answer) for (answer,) in rows]

    def delivered(self, answer: Answer) -> None:
        """A broker has it."""
        with self._connected() as connection:
            connection.execute(DELIVERED, (self._clock(), answer.id, answer.attempt))

    def take_stock(self, worker: str) -> None:
        """The agent has been started: what was under way then runs no longer.

        What may run again waits as interrupted; the rest has failed.
        """
        with self._connected() as connection:
            connection.execute(
                "UPDATE operations SET state = 'interrupted' WHERE state = 'started' AND resumable"
            )
            lost = connection.execute("SELECT id, attempt FROM operations WHERE state = 'started'").fetchall()
        for identifier, attempt in lost:
            self.answer(_interrupted(identifier, attempt, worker))

    def interrupted(self) -> list[Message]:
        """What is to be run again."""
        with self._connected() as connection:
            rows = connection.execute(INTERRUPTED).fetchall()
        return [Message.model_validate_json(message) for (message,) in rows]

    def keep_lines(self, lines: Lines) -> None:
        """Keep what an operation has said, and nobody has been told yet."""
        with self._connected() as connection:
            connection.execute("INSERT INTO lines (tenant, token, body) VALUES (?, ?, ?)", lines[1:])

    def lines(self, limit: int = 100) -> list[Lines]:
        """Such lines, the oldest first."""
        with self._connected() as connection:
            return connection.execute(
                "SELECT number, tenant, token, body FROM lines ORDER BY number LIMIT ?", (limit,)
            ).fetchall()

    def drop_lines(self, lines: Lines) -> None:
        """They have been told, or nobody wants them."""
        with self._connected() as connection:
            connection.execute("DELETE FROM lines WHERE number = ?", lines[:1])

    def let_go(self, kept_s: float = KEPT_S) -> None:
        """Forget what was delivered long ago."""
        with self._connected() as connection:
            connection.execute(LET_GO, (self._clock() - kept_s,))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when the block is over."""
        with _IN_USE, closing(sqlite3.connect(self._path, timeout=BUSY_S)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            with connection:
                yield connection


def _interrupted(identifier: str, attempt: int, worker: str) -> Answer:
    cause = {"message": WAS_INTERRUPTED, "type": "Error", "traceback": ""}
    return Answer(
        id=identifier,
        attempt=attempt,
        outcome=Outcome.FAILED,
        error=WAS_INTERRUPTED,
        causes=[cause],
        worker=worker,
    )
