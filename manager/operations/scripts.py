"""Scripts, as ``script_runner`` of cloudify-common runs them: bash with its command ``ctx``, Python, others.

It was made for a process of its own for each script. What it would leave behind in a process that goes on
(folders, routes of a web server, a choice of ports that two may make at once) is replaced here.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

from cloudify.decorators import operation
from cloudify.proxy.server import CtxProxy
from cloudify.state import current_ctx
from cloudify.utils import get_exec_tempdir
from script_runner import tasks

from manager.operations.processes import Warden

LOOK_EVERY_S = 0.02
TELL_EVERY_S = 20.0
MAX_REQUEST_BYTES = 64 * 1024 * 1024


class CtxServer(CtxProxy):
    """Answers the command ``ctx`` of a script, at an address that only this machine can reach."""

    def __init__(self, ctx: Any) -> None:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            """One request: the command's arguments."""

            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), MAX_REQUEST_BYTES)
                body = answer(self.rfile.read(length).decode())
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Not in our log: they are many."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        super().__init__(ctx, f"http://127.0.0.1:{self.port}")
        serve = partial(self._server.serve_forever, poll_interval=LOOK_EVERY_S)
        threading.Thread(target=serve, daemon=True).start()

    def _answer(self, request: str) -> bytes:
        with current_ctx.push(self.ctx):
            answer: str = self.process(request)
        return answer.encode()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class Script(subprocess.Popen[bytes]):
    """A script is a group with all that it starts, and they end when nobody waits for it any more.

    When it has ended by itself, what it has left in the background goes on.
    """

    def __init__(self, args: str, **options: Any) -> None:
        options["bufsize"] = -1
        super().__init__(args, **options, stdin=subprocess.DEVNULL, process_group=0)
        self._warden = Warden(self.pid)

    def poll(self) -> int | None:
        """Its exit code; None: it runs."""
        code = super().poll()
        if code is not None:
            self._warden.dismiss()
        return code


tasks.HTTPCtxProxy = CtxServer
tasks.POLL_LOOP_INTERVAL = LOOK_EVERY_S
tasks.POLL_LOOP_LOG_ITERATIONS = round(TELL_EVERY_S / LOOK_EVERY_S)
tasks.subprocess = SimpleNamespace(Popen=Script, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT)


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder for the length of one script, on a file system on which programs may be run."""
    folder = tempfile.mkdtemp(prefix="operation-", dir=get_exec_tempdir())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@operation
def run(**kwargs: Any) -> Any:
    """Run the script ``script_path`` of the blueprint's archive, or ``script_source``.

    Its inputs are its environment. What else there is to say (``process``): see ``script_runner.tasks.run``.
    """
    with temporary_folder() as folder:
        tasks.create_temp_folder = lambda: folder
        return tasks.run(**kwargs)
