"""What can happen to a single process of a node."""

from __future__ import annotations

import re
import shutil
import signal
from contextlib import suppress

from demo.node import Node
from orchestrator.clients import processes
from orchestrator.clients.processes import Process
from orchestrator.clients.services import SupervisorServices
from orchestrator.model.errors import ServicesUnavailable
from tests.support.waiting import eventually

BACK_S = 60.0
QUEUES = ("health", "cluster", "files")
WORKER_STARTED = re.compile(r"worker for queue (\w+) started \((\d+)\)")

PROGRAMS = (
    "check-runner",
    "consul",
    "consul-watcher",
    "handler-runner",
    "lease-guard",
    "postgresql",
    "redis",
    "restservice",
    "sshd",
)
"""What runs on every member under its name in the service manager."""

WORKERS = tuple(f"worker of {queue}" for queue in QUEUES)


def find(node: Node, name: str) -> Process | None:
    """The process called ``name``: a service, ``supervisord``, ``worker of health``, ...; None: not there."""
    _, _, queue = name.partition(" of ")
    if name == "supervisord":
        return next((each for each in node.processes() if processes.is_supervisord(each, node.config)), None)
    if not queue:
        return _service(node, name)
    return _worker(node, queue)


def kill(node: Node, name: str) -> Process:
    """Kill one process with the signal that nobody can catch; returns what it was."""
    victim = eventually(lambda: find(node, name), BACK_S, f"{node.name} has a {name}")
    processes.send(victim, signal.SIGKILL)
    eventually(lambda: not _lives(victim), BACK_S, f"{name} of {node.name} is dead")
    return victim


def is_back(node: Node, name: str, killed: Process) -> Process:
    """Wait until there is another process in the place of the killed one."""

    def successor() -> Process | None:
        found = find(node, name)
        return found if found and (found.pid, found.started) != (killed.pid, killed.started) else None

    return eventually(successor, BACK_S, f"{name} of {node.name} is back")


def stop(*victims: Process) -> None:
    """Stop processes where they stand."""
    for process in victims:
        processes.send(process, signal.SIGSTOP)


def go_on(*victims: Process) -> None:
    """Let stopped processes go on."""
    for process in victims:
        processes.send(process, signal.SIGCONT)


def family(node: Node, name: str) -> list[Process]:
    """A process and all that descends from it, as ``find`` names it."""
    head = eventually(lambda: find(node, name), BACK_S, f"{node.name} has a {name}")
    members = {head.pid: head}
    for process in node.processes():
        if process.parent in members:
            members[process.pid] = process
    return list(members.values())


def walsenders(node: Node) -> list[Process]:
    """What sends the node's write-ahead log to its replicas."""
    return [each for each in family(node, "postgresql") if "walsender" in each.arguments[0]]


def destroy_database(node: Node) -> None:
    """Lose the data folder of a node that is not running, as with a broken disk."""
    shutil.rmtree(node.config.paths.postgres_data)


def let_loop_turn(node: Node, times: int) -> None:
    """Wait until the node has looked at the cluster, and decided what to do about it, so many times."""
    seen: set[int] = set()

    def has_turned() -> bool:
        # Every turn writes the file anew.
        with suppress(FileNotFoundError):
            seen.add(node.config.paths.lease_file.stat().st_mtime_ns)
        return len(seen) > times

    eventually(has_turned, BACK_S, f"the loop of {node.name} turns")


def _lives(process: Process) -> bool:
    now = processes.read(process.pid)
    return now is not None and now.started == process.started


def _service(node: Node, name: str) -> Process | None:
    """None also when its supervisor says nothing in time: the whole machine may be suspended."""
    try:
        pids = SupervisorServices(node.config).pids()
    except ServicesUnavailable:
        return None
    return next((processes.read(pid) for pid, service in pids.items() if service == name), None)


def _worker(node: Node, queue: str) -> Process | None:
    runner = _service(node, "handler-runner")
    started = WORKER_STARTED.findall((node.config.paths.log / "handler-runner.log").read_text())
    pids = [int(pid) for name, pid in started if name == queue]
    worker = processes.read(pids[-1]) if pids else None
    return worker if worker and runner and worker.parent == runner.pid else None
