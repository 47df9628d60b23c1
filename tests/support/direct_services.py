"""Services that are child processes of the test itself: no supervisor between it and PostgreSQL."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from typing import Self

from orchestrator.clients.programs import Program, programs
from orchestrator.config import NodeConfig
from orchestrator.model.errors import NotFound, ServicesUnavailable

STOP_TIMEOUT_S = 20.0


class DirectServices:
    """Runs the named programs of a node. A context manager: leaves no process behind."""

    def __init__(self, config: NodeConfig, names: frozenset[str] = frozenset({"postgresql"})) -> None:
        self._programs = {program.name: program for program in programs(config, member=False)}
        self._names = names
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                _kill_with_children(process.pid)
            process.wait(STOP_TIMEOUT_S)

    def known(self) -> frozenset[str]:
        """See ``Services``."""
        return self._names

    def running(self) -> frozenset[str]:
        """See ``Services``."""
        return frozenset(name for name, process in self._processes.items() if process.poll() is None)

    def start(self, name: str) -> None:
        """See ``Services``."""
        if name not in self._names:
            raise NotFound(f"There is no service {name!r} here.")
        if name not in self.running():
            self._processes[name] = _spawn(self._programs[name])

    def stop(self, name: str) -> None:
        """See ``Services``."""
        if name not in self.running():
            return
        process = self._processes[name]
        process.send_signal(getattr(signal, f"SIG{self._programs[name].stop_signal}"))
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise ServicesUnavailable(f"The service {name} did not stop.") from error

    def restart(self, name: str) -> None:
        """See ``Services``."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """See ``Services``."""
        if name in self.running():
            self._processes[name].kill()

    def pid(self, name: str) -> int:
        """The process id of a service that has been started."""
        return self._processes[name].pid


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    # PostgreSQL logs to its own file; what it says before that is in the test's output.
    if program.user is None or os.geteuid() != 0:
        return subprocess.Popen(program.command, stdin=subprocess.DEVNULL, cwd="/")
    account = pwd.getpwnam(program.user)
    return subprocess.Popen(
        program.command,
        stdin=subprocess.DEVNULL,
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
    )


def family(pid: int) -> list[int]:
    """A process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123 - a file of the kernel
        return [pid, *map(int, file.read().split())]


def _kill_with_children(pid: int) -> None:
    for member in family(pid):
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
