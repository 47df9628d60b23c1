"""Who asks the cluster while things happen to it. Each remembers what it was told, when, and by whom."""

from __future__ import annotations

import hashlib
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Self

import requests

from demo.node import Node
from demo.rest import Access, Client, NoLeader, Rejected
from demo.writer import Acknowledged, Writer
from orchestrator.clients.postgres.connection import Connection
from orchestrator.model.errors import DatabaseUnavailable
from tests.support.archives import BLUEPRINT, tar_gz

NOT_FOUND = 404
RECENT = 50
UPLOAD_S, DEEP_S = 15.0, 5.0
INSERT = "INSERT INTO tenants (name) VALUES (%s)"
READ_EVERY_S = 0.15
PAYLOAD = "top/payload"


class WatchfulClient(Client):
    """A client that notices when an answer was given in minority mode."""

    def __init__(self, access: Access, **timeouts: float) -> None:
        super().__init__(access, **timeouts)
        self.alone = False
        self._session.hooks["response"].append(self._note)

    def _note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self.alone = any("minority" in name.lower() for name in response.headers)


class Scribe(Writer):
    """A writer of small rows. ``alone``: what was acknowledged in minority mode, where less is promised."""

    def __init__(self, access: Access, *, read_timeout_s: float = 1.0, **pauses: float) -> None:
        super().__init__(access, read_timeout_s=read_timeout_s, **pauses)
        self._client = WatchfulClient(access, read_timeout_s=read_timeout_s)
        self.alone: list[Acknowledged] = []

    def _write(self, name: str) -> bool:
        written = super()._write(name)
        self._set_apart(written=written)
        return written

    def _set_apart(self, *, written: bool) -> None:
        if written and self._client.alone:
            self.alone.append(self.journal.acknowledged.pop())


class Deep(Scribe):
    """What the product does behind its gate, as workflows do: rows that go straight to one host's database.

    Whatever its REST service thinks, only a leader may acknowledge them.
    """

    def __init__(self, access: Access, node: Node, **pauses: float) -> None:
        super().__init__(access, **pauses)
        self._host_ip, self._connection = node.host_ip, connection(node)

    def _write(self, name: str) -> bool:
        asked_s = time.monotonic()
        try:
            self._connection.query(INSERT, name, timeout_s=DEEP_S)
        except DatabaseUnavailable as error:
            self.journal.complaint = str(error)
            self.journal.unanswered.append(name)
            return False
        self.journal.acknowledged.append(Acknowledged(name, self._host_ip, asked_s, time.monotonic()))
        return True


def connection(node: Node) -> Connection:
    """To the node's own database, whatever it is."""
    config = node.config
    return Connection(f"host='{config.paths.run}' port={config.ports.postgres} user=postgres dbname=cloudify")


class Uploader(Scribe):
    """A writer of blueprints: rows with files."""

    def __init__(self, access: Access, **pauses: float) -> None:
        super().__init__(access, read_timeout_s=UPLOAD_S, **pauses)

    def _write(self, name: str) -> bool:
        asked_s = time.monotonic()
        try:
            answer = self._client.request("PUT", f"/blueprints/{name}", data=archive(name))
        except (NoLeader, Rejected) as error:
            self.journal.complaint = str(error)
            self.journal.unanswered.append(name)
            return False
        self.journal.acknowledged.append(Acknowledged(name, answer.host_ip, asked_s, time.monotonic()))
        self._set_apart(written=True)
        return True


def archive(name: str) -> bytes:
    """A blueprint with content that is its own, and known by its name."""
    return tar_gz({"top/blueprint.yaml": BLUEPRINT.encode(), PAYLOAD: payload(name)}, level=1)


def payload(name: str) -> bytes:
    """Some kilobytes that only this name gives."""
    return b"".join(hashlib.sha256(f"{name} {number}".encode()).digest() for number in range(256))


class Reader:
    """Reads back, again and again, what was acknowledged lately. Not to find it is a broken promise."""

    def __init__(self, access: Access, writers: Sequence[Writer]) -> None:
        self._client = WatchfulClient(access, read_timeout_s=2.0)
        self._writers = writers
        self.read, self.failed = 0, 0
        self.forgotten: list[str] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Read no more."""
        self._ending.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        chance = random.Random()
        while not self._ending.wait(READ_EVERY_S):
            known = chance.choice(self._writers).journal.acknowledged[-RECENT:]
            if known:
                self._read(chance.choice(known).name)

    def _read(self, name: str) -> None:
        asked = time.time()
        try:
            self._client.request("GET", f"/tenants/{name}")
        except NoLeader:
            self.failed += 1
        except Rejected as error:
            self.failed += 1
            if error.status == NOT_FOUND and not self._client.alone:
                self.forgotten.append(f"{name}, asked for at {asked:.3f}")
        else:
            self.read += 1


class Repeated:
    """Something that is done again and again, in a thread, until it is ended."""

    def __init__(self, what: Callable[[], None], every_s: float) -> None:
        self._what, self._every_s = what, every_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Do it no more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._every_s):
            try:
                self._what()
            except Exception:  # noqa: BLE001  Whoever watches goes on; a run tells what it met.
                traceback.print_exc()
