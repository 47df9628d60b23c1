"""What is done about files never holds up anything else, and is not enqueued again while it is being done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support import dispatch_stub
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

TIMEOUT_S = 60


@pytest.fixture
def node_file():
    """A node's configuration, with its Redis."""
    folder = Path(tempfile.mkdtemp(prefix="beside-"))
    file = folder / "manager.toml"
    paths = "\n".join(f'{name} = "{folder / name}"' for name in ("etc", "state", "run", "log"))
    file.write_text(f"[paths]\n{paths}\n")
    (folder / "run").mkdir()
    socket = folder / "run" / "redis.sock"
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(socket.exists, 30, "redis listens")
        yield file
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def test_two_lines(node_file):
    done = subprocess.run(
        [sys.executable, "-m", dispatch_stub.__name__],
        env={**os.environ, "CLOUDIFY_CONFIG": str(node_file)},
        stdout=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "parts": [["KeepSlots"], ["SweepFiles"]],
        "files": True,
        "files again, while it waits": False,
        "chain, while files wait": True,
        "asked for the worker of files": 2,
        "chain again": False,
        "queued": {"cluster": 1, "files": 1},
        "files, while one runs": False,
        "chain, while files run": True,
        "files, decided before the last one ended": False,
        "chain, decided before files ended": True,
        "files, when all is done": True,
    }
