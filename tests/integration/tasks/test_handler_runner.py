"""The one program that runs all of a node's Celery workers, on a real Redis."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from celery import Celery

from tests.support import runner_stub
from tests.support.waiting import eventually

ANSWER_S = 30


@pytest.fixture
def redis_socket():
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    path = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        eventually(path.exists, 30, "redis listens")
        yield path
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


@pytest.fixture
def runner(redis_socket):
    process = subprocess.Popen([sys.executable, runner_stub.__file__, str(redis_socket)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def app(redis_socket):
    app = Celery(broker=f"redis+socket://{redis_socket}?virtual_host=0")
    app.conf.result_backend = f"redis+socket://{redis_socket}?virtual_host=1"
    yield app
    app.close()


@pytest.fixture
def ask(app, runner):
    return lambda queue: app.send_task("whoami", queue=queue).get(timeout=ANSWER_S)


@pytest.fixture
def hang(app, runner):
    def begin(queue):
        app.send_task("hang", queue=queue, ignore_result=True)

    return begin


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    return {each for child in children(pid) for each in (child, *descendants(child))}


def all_gone(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_every_queue_has_a_worker_of_its_own(runner, ask):
    answering = {ask(queue) for queue in runner_stub.QUEUES}
    assert len(answering) == len(runner_stub.QUEUES)
    assert answering == set(children(runner.pid))


def test_a_worker_that_is_killed_is_started_again(runner, ask):
    before = {queue: ask(queue) for queue in runner_stub.QUEUES}
    os.kill(before["cluster"], signal.SIGKILL)
    eventually(lambda: all_gone([before["cluster"]]), 30, "the worker has ended")
    assert ask("cluster") != before["cluster"]
    assert ask("health") == before["health"]


def test_a_task_that_takes_longer_than_it_may_ends_its_worker(runner, hang, ask):
    before = {queue: ask(queue) for queue in runner_stub.QUEUES}
    hang("cluster")
    eventually(lambda: all_gone([before["cluster"]]), 30, "the worker has ended")
    assert ask("cluster") != before["cluster"]
    assert ask("health") == before["health"]


def test_asked_to_end_it_ends_everything(runner, ask):
    ask("files")
    family = descendants(runner.pid)
    runner.terminate()
    assert runner.wait(20) == 0
    eventually(lambda: all_gone(family), 30, "all workers have ended")


def test_killed_it_takes_everything_with_it(runner, ask):
    ask("files")
    family = descendants(runner.pid)
    runner.kill()
    runner.wait()
    eventually(lambda: all_gone(family), 30, "all workers have ended")
