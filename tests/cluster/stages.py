"""The moments of an upload at which its leader may die, each held by something that happens for real.

A stage begins the upload and is entered when that has come to its moment; at its end it holds nobody.
"""

from __future__ import annotations

import gzip
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Client, NoLeader
from orchestrator.clients import processes
from orchestrator.model.errors import Unfinished
from tests.cluster.nemesis import find
from tests.support.archives import FILES, tar
from tests.support.waiting import eventually

SOON_S = 60.0
ANSWER_S = 120.0
AGAIN_S = 0.2
LARGE_BYTES = 4 << 20
PIECE_BYTES = 1 << 16
MANY = 4000

ROW = "SELECT 1 FROM blueprints WHERE id = %s"
COMMIT_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
ROW_WAITS = """SELECT 1 FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO blueprints%'"""


class Scene:
    """An upload of ``name`` to the leader of now, by a client that repeats it until it is answered."""

    def __init__(self, cluster: Cluster, name: str, archive: bytes, stack: ExitStack) -> None:
        self.cluster, self.name, self.archive = cluster, name, archive
        self.old = cluster.leader()
        self.tries = 0
        self.flowing = threading.Event()
        self.flowing.set()
        # Last in, first out: bodies flow before anybody waits for the client.
        self._pool = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(self.flowing.set)

    @property
    def replicas(self) -> list[Node]:
        """The members that do not lead."""
        return [node for node in self.cluster.bed if node is not self.old]

    def begin(self) -> Future[Any]:
        """Start the upload; what it will be answered."""
        self.answer: Future[Any] = self._pool.submit(self._upload)
        return self.answer

    def _upload(self) -> Any:
        client = Client(self.cluster.access, read_timeout_s=ANSWER_S)
        deadline_s = time.monotonic() + ANSWER_S
        with closing(client):
            while True:
                try:
                    return client.request("PUT", f"/blueprints/{self.name}", data=_Body(self)).content
                except NoLeader:
                    if time.monotonic() > deadline_s:
                        raise
                    time.sleep(AGAIN_S)

    def folders(self, place: str, pattern: str) -> list[Path]:
        """What there is of uploads below one of the old leader's folders."""
        return list((self.old.config.paths.state / place).glob(pattern))

    def reaches(self, stage: Callable[[], Any], what: str) -> None:
        """Wait for a moment of the upload; an answer before that is a failure of the story."""
        eventually(lambda: stage() or self.answer.done(), SOON_S, what)
        assert not self.answer.done(), f"the upload was over before {what}"


class _Body:
    """A body of which each try gets a new one: a stream, as clients send it, that can be held up."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __iter__(self) -> Iterator[bytes]:
        scene = self._scene
        scene.tries += 1
        for start in range(0, len(scene.archive), PIECE_BYTES):
            if start >= len(scene.archive) // 2:
                scene.flowing.wait(SOON_S)
            yield scene.archive[start : start + PIECE_BYTES]


@contextmanager
def while_the_body_streams(scene: Scene) -> Iterator[None]:
    """Half of the body is with the leader."""
    scene.flowing.clear()
    scene.begin()
    half = len(scene.archive) // 4
    scene.reaches(
        lambda: any(file.stat().st_size >= half for file in scene.folders("staging", "*/archive")),
        "half of the archive is received",
    )
    yield
    scene.flowing.set()


@contextmanager
def while_it_is_unpacked(scene: Scene) -> Iterator[None]:
    """Files of it lie in the staging folder, and the process that writes them stands still."""
    scene.begin()
    scene.reaches(lambda: scene.folders("staging", "*/content/*"), "it is being unpacked")
    _send(scene.old, "restservice", signal.SIGSTOP)
    assert scene.folders("staging", "*/content"), "it was unpacked too soon"
    yield


@contextmanager
def before_it_is_protected(scene: Scene) -> Iterator[None]:
    """Its files are in their place; the replicas cannot fetch them."""
    with ExitStack() as held:
        for node in scene.replicas:
            held.enter_context(_mirror_held(node))
        scene.begin()
        scene.reaches(lambda: scene.folders("files", f"blueprints/*/{scene.name}/*"), "it has its place")
        yield


@contextmanager
def before_its_row(scene: Scene) -> Iterator[None]:
    """Replicas have its files; its row waits for somebody who has locked the table."""
    with _row_held(scene):
        yield


@contextmanager
def before_the_answer(scene: Scene) -> Iterator[None]:
    """Its row is committed, on a replica as well; the process that would answer stands still."""
    with _streams(scene) as stream:
        with _row_held(scene):
            stream(signal.SIGSTOP)
        scene.reaches(lambda: _query(scene.old, COMMIT_WAITS), "its commit waits for a replica")
        _send(scene.old, "restservice", signal.SIGSTOP)
        stream(signal.SIGCONT)
        eventually(lambda: _query(scene.old, ROW, scene.name), SOON_S, "the row is committed")
        assert not scene.answer.done()
        yield


STAGES = {
    stage.__name__: stage
    for stage in (
        while_the_body_streams,
        while_it_is_unpacked,
        before_it_is_protected,
        before_its_row,
        before_the_answer,
    )
}


def archive_for(stage: str) -> bytes:
    """A blueprint that takes long enough where a story has to be quick, and is small elsewhere."""
    more: dict[str, bytes] = {}
    if stage == while_the_body_streams.__name__:
        more = {"top/large": random.Random(1).randbytes(LARGE_BYTES)}
    if stage == while_it_is_unpacked.__name__:
        more = {f"top/many/{number}": b"x" for number in range(MANY)}
    return gzip.compress(tar(FILES | more), 1, mtime=0)


@contextmanager
def _mirror_held(node: Node) -> Iterator[None]:
    """No transfer of files begins on the node, as if an earlier one did not end."""
    with ExitStack() as held:

        def acquired() -> bool:
            try:
                held.enter_context(node.clients.mirror.alone())
            except Unfinished:
                return False
            return True

        eventually(acquired, SOON_S, f"{node.name} transfers no files")
        yield


@contextmanager
def _row_held(scene: Scene) -> Iterator[None]:
    """The table of blueprints is locked on the old leader, and the upload's row waits for that."""
    with closing(_connection(scene.old)) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE blueprints IN SHARE MODE")
        scene.begin()
        scene.reaches(lambda: _query(scene.old, ROW_WAITS), "its row waits for the lock")
        assert any(any(node.config.paths.files.glob(f"*/*/{scene.name}/*")) for node in scene.replicas)
        yield


@contextmanager
def _streams(scene: Scene) -> Iterator[Callable[[signal.Signals], None]]:
    """Stops the replicas' streams of the database, or lets them go on; they go on at the end."""

    def send(number: signal.Signals) -> None:
        for node in scene.replicas:
            for (pid,) in _query(node, "SELECT pid FROM pg_stat_wal_receiver"):
                if (receiver := processes.read(pid)) is not None:
                    processes.send(receiver, number)

    try:
        yield send
    finally:
        send(signal.SIGCONT)


def _send(node: Node, name: str, number: signal.Signals) -> None:
    process = find(node, name)
    assert process, f"{node.name} has no {name}"
    processes.send(process, number)


def _query(node: Node, statement: str, *values: str) -> list[Any]:
    with closing(_connection(node)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def _connection(node: Node) -> Any:
    config = node.config
    connection = psycopg2.connect(
        host=str(config.paths.run), port=config.ports.postgres, user="postgres", dbname="cloudify"
    )
    connection.autocommit = True
    return connection
