"""Which processes of this machine are this node's own, and ending them: by proof, never by name.

A process belongs to a node when its environment names the node's configuration file and says that a
supervisor started it, or when it descends from such a process. Some servers overwrite their environment with
a title; these are known by what else is theirs alone: PostgreSQL and Redis by their working folder, sshd
by its configuration file.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.clients.supervisor_config import supervisor_file
from orchestrator.config import CONFIG_VARIABLE, NodeConfig
from orchestrator.model.errors import ServicesUnavailable

POLL_S = 0.02
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel says of a process. ``started``: in clock ticks since boot; unique with the pid."""

    pid: int
    parent: int
    started: int
    state: str
    program: str
    arguments: tuple[str, ...]
    environment: frozenset[str]
    folder: str


def read(pid: int) -> Process | None:
    """The process ``pid``; None when there is none, when it has ended, or when it is not ours to see."""
    at = PROC / str(pid)
    try:
        state, parent, started = _stat((at / "stat").read_text())
        environment = frozenset((at / "environ").read_text(errors="replace").split("\0"))
        arguments = tuple((at / "cmdline").read_text(errors="replace").split("\0"))
        program, folder = Path((at / "exe").readlink()).name, str((at / "cwd").readlink())
    except OSError:
        return None
    if state in "ZX":
        return None
    return Process(pid, parent, started, state, program, arguments, environment, folder)


def _stat(text: str) -> tuple[str, int, int]:
    # The second field is the program's name in brackets, and may hold spaces and brackets itself.
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[19])


def of_node(config: NodeConfig, config_file: Path) -> tuple[Process, ...]:
    """Every living process of the node that ``config_file`` configures, parents before their children."""
    running = [process for pid in _pids() if (process := read(pid)) is not None]
    own = {process.pid for process in running if _belongs(process, config, config_file)}
    while descendants := {p.pid for p in running if p.parent in own and p.pid not in own}:
        own |= descendants
    # Who asks may himself have been started by the node, and must not end himself.
    own.discard(os.getpid())
    return tuple(sorted((p for p in running if p.pid in own), key=lambda p: (p.started, p.pid)))


def _pids() -> Iterable[int]:
    return (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit())


def _belongs(process: Process, config: NodeConfig, config_file: Path) -> bool:
    if f"{CONFIG_VARIABLE}={config_file}" in process.environment:
        # A user's shell may have the variable as well, but nobody has started that for the node.
        return "SUPERVISOR_ENABLED=1" in process.environment or is_supervisord(process, config)
    if process.program == "postgres":
        return process.folder == str(config.paths.postgres_data)
    if process.program.startswith("redis") and process.program != "redis-cli":
        return process.folder == str(config.paths.state)
    title = " ".join(process.arguments)
    return process.program == "sshd" and f"-f {config.paths.ssh / 'sshd_config'}" in title


def is_supervisord(process: Process, config: NodeConfig) -> bool:
    """Whether this is the supervisord of the node."""
    return str(supervisor_file(config)) in process.arguments


def send(process: Process, number: int) -> None:
    """Send a signal to exactly this process, and not to one that has its number after it."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        now = read(process.pid)
        if now is not None and now.started == process.started:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def end(find: Callable[[], Iterable[Process]], *, patience_s: float) -> None:
    """End what ``find`` finds, politely at first: asked, then told (PostgreSQL crashes cleanly), then killed.

    Each step may take ``patience_s``. Raises ``ServicesUnavailable`` when something outlives all of them.
    """
    for ask in (_ask_to_end, _tell_to_end, _kill):
        for process in find():
            ask(process)
        if _gone(find, time.monotonic() + patience_s):
            return
    survivors = ", ".join(f"{process.program} ({process.pid})" for process in find())
    raise ServicesUnavailable(f"These processes of an earlier life of the node cannot be ended: {survivors}")


def _ask_to_end(process: Process) -> None:
    if process.program != "postgres":
        send(process, signal.SIGTERM)
    elif _is_postmaster(process):
        send(process, signal.SIGINT)


def _tell_to_end(process: Process) -> None:
    send(process, signal.SIGQUIT if process.program == "postgres" else signal.SIGTERM)


def _kill(process: Process) -> None:
    send(process, signal.SIGKILL)


def _is_postmaster(process: Process) -> bool:
    # Its children have changed their titles, and it must be asked alone: it tells them in the right order.
    return "-D" in process.arguments


def _gone(find: Callable[[], Iterable[Process]], deadline_s: float) -> bool:
    while any(find()):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True
