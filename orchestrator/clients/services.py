"""The services of this machine, whoever runs them: a supervisor, systemd, or a plain set in a test."""

from __future__ import annotations

import http.client
import socket
import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from orchestrator.config import NodeConfig
from orchestrator.model.errors import NotFound, ServicesUnavailable

CALL_TIMEOUT_S = 5.0
START_TIMEOUT_S = 10.0
STOP_MARGIN_S = 10.0
POLL_S = 0.02


class Services(Protocol):
    """What the cluster needs of a service manager. Every call is bounded in time.

    All raise ``ServicesUnavailable`` when the service manager does not answer or a service does not get where
    it should, and ``NotFound`` for a name that it does not know.
    """

    def known(self) -> frozenset[str]:
        """The services that this machine has, running or not."""

    def running(self) -> frozenset[str]:
        """The services that have a process now."""

    def start(self, name: str) -> None:
        """Have the service running; nothing happens when it runs already."""

    def stop(self, name: str) -> None:
        """Have the service stopped, and its process gone; nothing happens when it does not run."""

    def restart(self, name: str) -> None:
        """Stop the service if it runs, and start it."""

    def kill(self, name: str) -> None:
        """Kill the service's process, and do not wait for its end. It is started again, as after a crash."""


def services_of(config: NodeConfig) -> Services:
    """The services of the node's machine, as its configuration says who runs them."""
    if config.services.manager == "systemd":
        # Imported where it is used: most machines without systemd are somebody's test.
        from orchestrator.clients.systemd import SystemdServices  # noqa: PLC0415

        return SystemdServices(config.postgres.stop_timeout_s)
    return SupervisorServices(config)


class MemoryServices:
    """Services that are only remembered, for tests. ``calls`` tells what was asked for, in order."""

    def __init__(self, known: Iterable[str], running: Iterable[str] = ()) -> None:
        self._known = frozenset(known)
        self._running = set(running)
        self.calls: list[tuple[str, str]] = []

    def known(self) -> frozenset[str]:
        """See ``Services``."""
        return self._known

    def running(self) -> frozenset[str]:
        """See ``Services``."""
        return frozenset(self._running)

    def start(self, name: str) -> None:
        """See ``Services``."""
        self._note("start", name)
        self._running.add(name)

    def stop(self, name: str) -> None:
        """See ``Services``."""
        self._note("stop", name)
        self._running.discard(name)

    def restart(self, name: str) -> None:
        """See ``Services``."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """See ``Services``."""
        self._note("kill", name)

    def _note(self, verb: str, name: str) -> None:
        if name not in self._known:
            raise NotFound(f"There is no service {name!r} here.")
        self.calls.append((verb, name))


_ALREADY_STARTED = 60
_NOT_RUNNING = 70
"""Answers of supervisord which say that there is nothing to do (``supervisor.xmlrpc.Faults``)."""


class SupervisorServices:
    """Services that run under supervisord, over XML-RPC on its Unix socket."""

    _ALIVE = frozenset({"STARTING", "RUNNING", "STOPPING"})
    _WANTED = frozenset({"STARTING", "RUNNING"})

    def __init__(self, config: NodeConfig) -> None:
        self._socket = config.paths.supervisor_socket
        self._stop_timeout_s = config.postgres.stop_timeout_s + STOP_MARGIN_S

    def known(self) -> frozenset[str]:
        """See ``Services``."""
        return frozenset(self._states())

    def running(self) -> frozenset[str]:
        """See ``Services``."""
        return frozenset(name for name, state in self._states().items() if state in self._WANTED)

    def start(self, name: str) -> None:
        """See ``Services``."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        if self._state(name) == "BACKOFF":
            # supervisord waits ever longer before it tries a falling program again; who asks wants it now.
            self._ask("stopProcess", name, accept=_NOT_RUNNING)
        while (state := self._state(name)) not in self._WANTED:
            if state != "STOPPING":
                self._ask("startProcess", name, accept=_ALREADY_STARTED)
            self._wait(deadline_s, f"The service {name} did not start; it is {state.lower()}.")

    def stop(self, name: str) -> None:
        """See ``Services``."""
        deadline_s = time.monotonic() + self._stop_timeout_s
        if self._state(name) in {*self._WANTED, "BACKOFF"}:
            self._ask("stopProcess", name, accept=_NOT_RUNNING)
        while (state := self._state(name)) in self._ALIVE:
            self._wait(deadline_s, f"The service {name} did not stop; it is {state.lower()}.")

    def restart(self, name: str) -> None:
        """See ``Services``."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """See ``Services``."""
        if self._state(name) in self._ALIVE:
            self._call(lambda server: server.supervisor.signalProcess(name, "KILL"))

    def pid(self) -> int:
        """The process id of supervisord itself."""
        return int(self._call(lambda server: server.supervisor.getPID()))

    def pids(self) -> dict[int, str]:
        """The process ids of the services that run, each with the name of its service."""
        return {process["pid"]: process["name"] for process in self._processes() if process["pid"]}

    def shut_down(self) -> None:
        """Have supervisord stop everything and end; returns at once."""
        self._call(lambda server: server.supervisor.shutdown())

    def _states(self) -> dict[str, str]:
        return {process["name"]: process["statename"] for process in self._processes()}

    def _processes(self) -> list[dict[str, Any]]:
        return list(self._call(lambda server: server.supervisor.getAllProcessInfo()))

    def _state(self, name: str) -> str:
        states = self._states()
        if name not in states:
            raise NotFound(f"There is no service {name!r} here. Services: {', '.join(sorted(states))}.")
        return states[name]

    def _ask(self, method: str, name: str, accept: int) -> None:
        """Call ``method`` without waiting for its effect; the answer ``accept`` is as good as success."""
        wait = False
        try:
            self._call(lambda server: getattr(server.supervisor, method)(name, wait))
        except _Refusal as refusal:
            if refusal.code != accept:
                raise

    def _call(self, request: Callable[[xmlrpc.client.ServerProxy], Any]) -> Any:
        transport = _SocketTransport(self._socket)
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
                return request(server)
        except xmlrpc.client.Fault as fault:
            raise _Refusal(fault.faultCode, fault.faultString) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise ServicesUnavailable(f"supervisord does not answer on {self._socket}: {error}") from error

    @staticmethod
    def _wait(deadline_s: float, complaint: str) -> None:
        if time.monotonic() > deadline_s:
            raise ServicesUnavailable(complaint)
        time.sleep(POLL_S)


class _Refusal(ServicesUnavailable):
    """supervisord answered that it would or could not."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"supervisord refuses: {message}")
        self.code = code


class _SocketTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> _SocketConnection:
        return _SocketConnection(host, self._path)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, host: Any, path: Path) -> None:
        super().__init__(host, timeout=CALL_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CALL_TIMEOUT_S)
        self.sock.connect(str(self._path))
