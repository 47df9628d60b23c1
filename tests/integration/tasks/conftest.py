"""A handler-runner with an application of its own, on a real Redis."""

from __future__ import annotations

import shutil
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


@pytest.fixture
def demand(app, runner):
    """Has the runner asked for the worker, by one of its workers."""
    return lambda: app.send_task("ask", queue="health").get(timeout=ANSWER_S)
