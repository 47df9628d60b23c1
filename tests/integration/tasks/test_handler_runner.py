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
        eventually(path.exists, 10, "redis listens")
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
def ask(redis_socket, runner):
    app = Celery(broker=f"redis+socket://{redis_socket}?virtual_host=0")
    app.conf.result_backend = f"redis+socket://{redis_socket}?virtual_host=1"

    def answer(queue):
        return app.send_task("whoami", queue=queue).get(timeout=ANSWER_S)

    yield answer
    app.close()


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
    assert answering <= descendants(runner.pid)
    assert len(children(runner.pid)) == len(runner_stub.QUEUES)


def test_a_worker_that_is_killed_is_started_again(runner, ask):
    before = {queue: ask(queue) for queue in runner_stub.QUEUES}
    worker = next(pid for pid in children(runner.pid) if before["cluster"] in children(pid))
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: all_gone([worker, before["cluster"]]), 10, "the worker and its child have ended")
    assert ask("cluster") not in {worker, before["cluster"]}
    assert ask("health") == before["health"]


def test_asked_to_end_it_ends_everything(runner, ask):
    ask("files")
    family = descendants(runner.pid)
    runner.terminate()
    assert runner.wait(20) == 0
    eventually(lambda: all_gone(family), 10, "all workers have ended")


def test_killed_it_takes_everything_with_it(runner, ask):
    ask("files")
    family = descendants(runner.pid)
    runner.kill()
    runner.wait()
    eventually(lambda: all_gone(family), 10, "all workers have ended")
