"""What the processes of a node cost: processor time and memory, for each of its services.

Processor time is counted by the kernel, and that of processes that have ended stays in the account of their
parent; so nothing that a service did is missed, however short it lived. Memory is the proportional set size:
a page that several processes share counts for each of them by its share.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.node import Node
from orchestrator.clients.processes import Process
from orchestrator.clients.services import SupervisorServices

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KIB_PER_MIB = 1024
SUPERVISOR = "supervisord"


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the accounts of a node stood: processor seconds and process ids, by service."""

    at_s: float
    spent_s: Mapping[str, float]
    pids: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a service costs: processor time in percent of one core, memory in MiB."""

    cpu_percent: float
    pss_mib: float
    processes: int


@dataclass(slots=True)
class Meter:
    """Reads the accounts of one node."""

    node: Node
    _services: SupervisorServices = field(init=False)

    def __post_init__(self) -> None:
        self._services = SupervisorServices(self.node.config)

    def read(self) -> Reading:
        """The accounts of this moment."""
        spent: dict[str, float] = defaultdict(float)
        pids: dict[str, tuple[int, ...]] = defaultdict(tuple)
        for service, process in self._by_service():
            spent[service] += spent_s(process.pid)
            pids[service] += (process.pid,)
        return Reading(time.monotonic(), spent, pids)

    def _by_service(self) -> Iterable[tuple[str, Process]]:
        """Each process with the service that it descends from; what descends from none is supervisord's."""
        mains = self._services.pids()
        service_of: dict[int, str] = {}
        for process in self.node.processes():  # Parents come before their children.
            inherited = service_of.get(process.parent, SUPERVISOR)
            service_of[process.pid] = mains.get(process.pid, inherited)
            yield service_of[process.pid], process


def costs(before: Reading, after: Reading) -> dict[str, Cost]:
    """What each service cost between two readings; the memory is that of now."""
    took_s = after.at_s - before.at_s
    return {
        service: Cost(
            cpu_percent=100 * (spent_s - before.spent_s.get(service, 0.0)) / took_s,
            pss_mib=sum(map(pss_mib, after.pids[service])),
            processes=len(after.pids[service]),
        )
        for service, spent_s in after.spent_s.items()
    }


def total(parts: Iterable[Cost]) -> Cost:
    """The sum of some costs."""
    parts = list(parts)
    return Cost(
        sum(part.cpu_percent for part in parts),
        sum(part.pss_mib for part in parts),
        sum(part.processes for part in parts),
    )


def pss_mib(pid: int) -> float:
    """The proportional set size of a process; 0 when it has just ended."""
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / KIB_PER_MIB


def spent_s(pid: int) -> float:
    """Processor time of a process, and of those of its children that have ended; 0 when it has just ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The second field is the program's name in brackets, and may hold spaces and brackets itself.
    user, system, children_user, children_system = text[text.rindex(")") + 2 :].split()[11:15]
    return sum(map(int, (user, system, children_user, children_system))) / TICKS_PER_S
