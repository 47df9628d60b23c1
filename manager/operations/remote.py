"""Running a program on another machine, for as long as the connection to it lives."""

from __future__ import annotations

import contextlib
import re
import select
import shlex
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import paramiko
from cloudify.exceptions import RecoverableError
from cloudify.proxy import client as ctx_client

PIECE_BYTES = 65536
LOOK_EVERY_S = 0.1
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Of a variable that a shell can export."""

SHORT_S = 60.0
"""For what does not depend on the user's code."""

# Begins with nothing that the shell and Python would not both read as they should.
CTX = """#!/bin/sh
'''exec' "$(command -v python3 || command -v python)" "$0" "$@"
' '''
"""

# Its standard input ends with the connection, and what it has started ends with that.
# ``setsid``, where there is one, makes that a group, which can be ended as a whole.
RUN = """{exports}
cd {cwd} || exit 125
exec 3<&0
if command -v setsid >/dev/null 2>&1; then set -- setsid "$@"; fi
"$@" </dev/null 3<&- &
child=$!
{{
    cat <&3
    kill -TERM "-$child" || kill -TERM "$child"
    sleep 2
    kill -KILL "-$child" || kill -KILL "$child"
}} >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$child"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
"""

Say = Callable[[str], None]


class Remote:
    """A machine that is connected, and a folder of ours there. ``close`` removes it."""

    def __init__(self, connection: paramiko.SSHClient) -> None:
        transport = connection.get_transport()
        if transport is None:
            raise RecoverableError("The connection is closed already.")
        self._transport = transport
        self.folder = self._short('umask 077; mktemp -d "${TMPDIR:-/tmp}/cloudify-XXXXXXXXXX"').strip()

    def put(self, name: str, content: bytes) -> str:
        """Write a program into the folder; gives its path."""
        path = f"{self.folder}/{name}"
        quoted = shlex.quote(path)
        self._short(f"umask 077; cat > {quoted} && chmod 700 {quoted}", content)
        return path

    def put_ctx(self) -> None:
        """Write the command ``ctx`` there."""
        self.put("ctx", (CTX + Path(ctx_client.__file__).read_text()).encode())

    def forward(self, port: int) -> str | None:
        """Let programs there connect to our ``port``; the address; None: the machine does not allow it."""

        def connect(channel: paramiko.Channel, *_: Any) -> None:
            threading.Thread(target=_pump, args=(channel, port), daemon=True).start()

        try:
            theirs = self._transport.request_port_forward("127.0.0.1", 0, connect)
        except paramiko.SSHException:
            return None
        return f"http://127.0.0.1:{theirs}"

    def run(  # noqa: PLR0913  # all but two are options
        self,
        command: str,
        environment: Mapping[str, str],
        *,
        cwd: str | None = None,
        sudo: bool = False,
        timeout_s: float | None = None,
        say: tuple[Say, Say],
    ) -> tuple[int, str, str]:
        """Run a line for the shell; exit code and output. ``say``: told each line (output, errors) at once.

        Raises ``RecoverableError`` when it takes longer than ``timeout_s``, or the connection breaks; the
        program is ended.
        """
        exports = "\n".join(
            f"export {name}={shlex.quote(text)}" for name, text in environment.items() if NAME.fullmatch(name)
        )
        exports += f'\nexport PATH="$PATH":{shlex.quote(self.folder)}'
        run = self.put("run", RUN.format(exports=exports, cwd=shlex.quote(cwd or ".")).encode())
        line = f'"${{SHELL:-/bin/sh}}" -c {shlex.quote(command)}'
        prefix = "sudo -n " if sudo else ""
        channel = self._transport.open_session(timeout=SHORT_S)
        try:
            channel.exec_command(f"{prefix}sh {shlex.quote(run)} {line}")
            return _follow(channel, timeout_s, say)
        finally:
            channel.close()

    def close(self) -> None:
        """Remove the folder, unless the connection is broken: then it stays."""
        with contextlib.suppress(paramiko.SSHException, RecoverableError, OSError, EOFError):
            self._short(f"rm -rf {shlex.quote(self.folder)}")

    def _short(self, command: str, content: bytes = b"") -> str:
        channel = self._transport.open_session(timeout=SHORT_S)
        try:
            channel.settimeout(SHORT_S)
            channel.exec_command(command)
            channel.sendall(content)
            channel.shutdown_write()
            output = channel.makefile().read()
            errors = channel.makefile_stderr().read()
            code = channel.recv_exit_status()
        finally:
            channel.close()
        if code != 0:
            raise RecoverableError(
                f"The machine refused '{command}' ({code}): {errors.decode(errors='replace')}"
            )
        return str(output, errors="replace")


class _Stream:
    """Bytes that arrive in pieces, told as lines."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._line = b""
        self.text = ""

    def add(self, piece: bytes) -> None:
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            self._tell(line, "\n")

    def finish(self) -> None:
        if self._line:
            self._tell(self._line, "")
            self._line = b""

    def _tell(self, line: bytes, end: str) -> None:
        text = line.decode(errors="replace").removesuffix("\r")
        self.text += text + end
        self._say(text)


def _follow(channel: paramiko.Channel, timeout_s: float | None, say: tuple[Say, Say]) -> tuple[int, str, str]:
    output, errors = map(_Stream, say)
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        # Asked before it is read: what the program has said before it ended has arrived before its code.
        ended = channel.exit_status_ready() or channel.closed
        while channel.recv_ready():
            output.add(channel.recv(PIECE_BYTES))
        while channel.recv_stderr_ready():
            errors.add(channel.recv_stderr(PIECE_BYTES))
        if ended:
            break
        if deadline_s is not None and time.monotonic() > deadline_s:
            raise RecoverableError(f"It was ended after {timeout_s:g} s, which is its command_timeout.")
        select.select([channel], [], [], LOOK_EVERY_S)
    output.finish()
    errors.finish()
    code = channel.recv_exit_status()
    if code == -1:
        raise RecoverableError("The connection broke, or the program was ended by a signal.")
    return code, output.text, errors.text


def _pump(channel: paramiko.Channel, port: int) -> None:
    """Carry bytes between a channel and our port until one of them ends."""
    with channel, socket.create_connection(("127.0.0.1", port), timeout=SHORT_S) as ours:
        while True:
            ends: tuple[Any, Any] = (channel, ours)
            ready, _, _ = select.select(ends, [], [], SHORT_S)
            if not ready:
                return
            for source, drain in (ends, ends[::-1]):
                if source in ready:
                    piece = source.recv(PIECE_BYTES)
                    if not piece:
                        return
                    drain.sendall(piece)
