"""Delivers kept answers, for ever, to whoever leads; and asks for what was interrupted to be run again."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading

from celery import Celery

from agent.brokers import app_of
from agent.ledger import Ledger
from agent.lines import PATH
from agent.rest import Manager, RestFailed
from agent.settings import Folder
from manager.operations.answering import Answers
from manager.operations.message import TASK, agent_queue

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
LONGEST_WAIT_S = 5.0
LET_GO_EVERY = 5000


class Delivery:
    """Of one agent. ``run`` is the work of a thread of its own."""

    def __init__(self, folder: Folder, ledger: Ledger) -> None:
        self._folder, self._ledger = folder, ledger
        self._connected = threading.Event()
        self._rerun = True
        self._target: tuple[str | None, Celery, Answers] | None = None

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self.run, name="delivery", daemon=True).start()

    def found_leader(self) -> None:
        """A broker has accepted the agent: there is somebody to deliver to."""
        self._connected.set()

    def run(self) -> None:
        """Never ends."""
        self._connected.wait()
        wait_s, rounds = LOOK_EVERY_S, 0
        pause = threading.Event()
        while True:
            try:
                self.once()
                wait_s, rounds = LOOK_EVERY_S, rounds + 1
                if rounds % LET_GO_EVERY == 0:
                    self._ledger.let_go()
            except sqlite3.Error:
                log.exception("The ledger cannot be read.")
                wait_s = LONGEST_WAIT_S
            except Exception as error:  # noqa: BLE001  # of whatever kind it is: the next leader gets it
                log.warning("An answer waits for somebody who takes it: %s", error)
                self._leave()
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            pause.wait(wait_s)

    def once(self) -> None:
        """Deliver what there is. Raises what kombu does, and ``sqlite3.Error``."""
        if self._rerun:
            self._send_interrupted()
            self._rerun = False
        self._tell()
        for answer in self._ledger.undelivered():
            self._to_leader()[2].deliver(answer, tries=1)
            self._ledger.delivered(answer)

    def _tell(self) -> None:
        """What operations have said comes before their answers, if it can be told at all."""
        for kept in self._ledger.lines():
            _, tenant, token, body = kept
            try:
                Manager(self._folder, tenant, token, patience_s=0).send("POST", PATH, json.loads(body))
            except RestFailed as error:
                if not error.status_code:
                    return
                log.warning("What an operation has said is not wanted: %s", error)
            self._ledger.drop_lines(kept)

    def _send_interrupted(self) -> None:
        """To our own queue, on the same way as all others: the ledger knows them when they come."""
        messages = self._ledger.interrupted()
        app = self._to_leader()[1]
        for message in messages:
            app.send_task(
                TASK,
                args=[message.model_dump(mode="json")],
                task_id=message.task_id,
                queue=agent_queue(self._folder.settings().name),
                retry=False,
            )

    def _to_leader(self) -> tuple[str | None, Celery, Answers]:
        active = self._folder.active
        if self._target is None or self._target[0] != active:
            self._leave()
            app = app_of(self._folder)
            self._target = (active, app, Answers(app))
        return self._target

    def _leave(self) -> None:
        if self._target is not None:
            self._target[2].close()
            self._target[1].close()
        self._target = None
