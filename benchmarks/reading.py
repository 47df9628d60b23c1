"""Reading from a manager's REST service with several clients at a time, and what came of it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cost import spent_s
from benchmarks.keep_alive import KeepAlive
from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Access
from orchestrator.clients.services import SupervisorServices


@dataclass(frozen=True, slots=True)
class Target:
    """A service to read from, and its process."""

    access: Access
    host_ip: str
    port: int
    pid: int

    @classmethod
    def of(cls, cluster: Cluster, node: Node) -> Target:
        """A node's own service."""
        pid = next(
            pid for pid, name in SupervisorServices(node.config).pids().items() if name == "restservice"
        )
        return cls(cluster.access, node.host_ip, cluster.access.port, pid)

    def spent_s(self) -> float:
        """Processor time of the service so far."""
        return spent_s(self.pid)

    def client(self) -> KeepAlive:
        """A connection to it."""
        return KeepAlive(self.access, self.host_ip, self.port)


@dataclass(slots=True)
class Reads:
    """What the rounds of one kind gave: of each round requests per second, and the processor time of one.

    ``took_ms``: of each request.
    """

    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    def round(self, target: Target, path: str, clients: int, length_s: float) -> None:
        """Several clients read without a pause for ``length_s`` seconds, after a first request each."""
        with ExitStack() as stack:
            connections = [stack.enter_context(target.client()) for _ in range(clients)]
            for connection in connections:
                connection.get(path)
            began_s, cpu_began_s = time.monotonic(), target.spent_s()
            end_s = began_s + length_s
            with ThreadPoolExecutor(clients) as pool:
                took = list(pool.map(lambda connection: _read_until(connection, path, end_s), connections))
            whole_s, cpu_s = time.monotonic() - began_s, target.spent_s() - cpu_began_s
        count = sum(map(len, took))
        self.per_s.append(count / whole_s)
        self.cpu_us.append(1e6 * cpu_s / count)
        self.took_ms += [1000 * each_s for one in took for each_s in one]

    def summary(self) -> dict[str, Any]:
        """The figures as ``rest.json`` has them."""
        ordered = sorted(self.took_ms)
        return {
            "requests": len(ordered),
            "per_s": round(statistics.median(self.per_s), 1),
            "p50_ms": round(_percentile(ordered, 50), 2),
            "p99_ms": round(_percentile(ordered, 99), 2),
            "cpu_us": round(statistics.median(self.cpu_us)),
        }


def _read_until(client: KeepAlive, path: str, end_s: float) -> list[float]:
    took_s = []
    while time.monotonic() < end_s:
        took_s.append(client.get(path).whole_s)
    return took_s


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """The least, the median and the most of some values."""
    figures = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {name: round(value, digits) for name, value in figures.items()}


def _percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is asked: ``rounds`` of ``length_s`` seconds of each kind, by ``clients`` at a time."""

    clients: int
    rounds: int
    length_s: float

    def alternate(self, kinds: Mapping[str, Callable[[], Target]], path: str) -> dict[str, Reads]:
        """Read from each kind in turns; who begins changes, too."""
        found = {kind: Reads() for kind in kinds}
        for number in range(self.rounds):
            order = list(kinds) if number % 2 == 0 else list(kinds)[::-1]
            for kind in order:
                found[kind].round(kinds[kind](), path, self.clients, self.length_s)
        return found
