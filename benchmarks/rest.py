"""How fast a manager answers reads, alone and as a cluster's leader, and what its gate costs of that.

Run by ``make bench-rest``. Clients that keep their connections read from a manager that is alone and from a
cluster's leader, in turns. What the gate costs is measured three times. Its verdict by itself, over and over.
Its verdicts in a service that is read from: what they take of a request's processor time. And that service
asking for it in one round and not in the next. There the difference is told with the range in which its
median lies in 19 of 20 cases, for two rounds on a machine that does other things as well differ by more.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.beds import PATIENT, formed_cluster, logs_kept_on_failure, write_result
from benchmarks.keep_alive import small_blueprint
from benchmarks.reading import Effort, Target
from demo.bed import Bed
from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Access
from manager.gate import Verdict
from manager.gateway import Gateway, load_config, settings_of
from manager.server import server
from orchestrator.clients.files import write_atomically
from orchestrator.config import CONFIG_VARIABLE
from orchestrator.model.errors import ClusterError

PATHS = ("/status", "/blueprints", "/tenants")
GATE_LIMIT_PERCENT = 5.0
START_S, WHOLE_TIMEOUT_S = 60.0, 180.0
VERDICTS = 20_000
SERVE = "--serve"
ASK, DO_NOT_ASK = signal.SIGUSR1, signal.SIGUSR2
TOLD = "CFY_BENCH_TOLD"


@contextmanager
def lone_manager() -> Iterator[Cluster]:
    """A manager that belongs to no cluster."""
    with tempfile.TemporaryDirectory(prefix="cfy-bench-") as folder:
        bed = Bed(Path(folder), ["alone"])
        try:
            cluster = Cluster(bed)
            cluster.install()
            cluster.start()
            yield cluster
        finally:
            bed.destroy()


class SwitchedGateway(Gateway):
    """Asks for the lease, or says that it leads without a look: as the last signal has it.

    It writes down what its verdicts have taken of the processor, whenever it is told not to ask.
    """

    asks = True
    count = spent_ns = 0

    def verdict(self) -> Verdict:
        """See ``Gateway``."""
        if not self.asks:
            return Verdict.LEADING
        began_ns = time.thread_time_ns()
        verdict = super().verdict()
        self.spent_ns += time.thread_time_ns() - began_ns
        self.count += 1
        return verdict

    def switch(self, number: int, _: object) -> None:
        """A signal has come."""
        self.asks = number == ASK
        if not self.asks:
            write_atomically(Path(os.environ[TOLD]), f"{self.spent_ns} {self.count}", durable=False)


def serve(port: int) -> None:
    """Be one more REST service of the node that the environment names, until it is killed."""
    config = load_config()
    gateway = SwitchedGateway(config)
    for number in (ASK, DO_NOT_ASK):
        signal.signal(number, gateway.switch)
    server(replace(settings_of(config), port=port), gateway).run()


@contextmanager
def one_more_service(
    node: Node, access: Access, told: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Target]]:
    """A process beside the node's own service, made in the same way, whose gate can be switched.

    ``told``: where it writes what its verdicts have taken.
    """
    with socket.socket() as probe:
        probe.bind((node.host_ip, 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, CONFIG_VARIABLE: str(node.config_file), TOLD: str(told)}
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.rest", SERVE, str(port)], env=environment)
    target = Target(access, node.host_ip, port, process.pid)
    try:
        Cluster.wait(lambda: _answers(target), START_S, "the service of the benchmark does not answer")
        yield process, target
    finally:
        process.kill()
        process.wait()


def _answers(target: Target) -> bool:
    try:
        with target.client() as client:
            client.get("/status")
    except OSError:
        return False
    return True


def gate_cost(cluster: Cluster, effort: Effort) -> dict[str, Any]:
    """What asking for the lease takes of a request, in percent, found in both ways."""
    leader = cluster.leader()
    verdict_us = _verdict_us(leader)
    paths: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="cfy-bench-") as folder,
        one_more_service(leader, cluster.access, told := Path(folder) / "told") as (process, target),
    ):

        def switched(to: signal.Signals) -> Target:
            process.send_signal(to)
            return target  # Each client's first request is not counted: by then the signal has arrived.

        kinds = {"asking": lambda: switched(ASK), "not_asking": lambda: switched(DO_NOT_ASK)}
        for path in PATHS:
            found = effort.alternate(kinds, path)
            # Of two rounds that lie side by side: what else the machine does changes slowly.
            rates = zip(found["asking"].per_s, found["not_asking"].per_s, strict=True)
            costs = zip(found["asking"].cpu_us, found["not_asking"].cpu_us, strict=True)
            request_us = 1e6 / statistics.median(found["asking"].per_s)
            paths[path] = {
                **{kind: reads.summary() for kind, reads in found.items()},
                "isolated_percent": round(100 * verdict_us / request_us, 2),
                "lost_percent": likely_median([100 * (1 - asking / free) for asking, free in rates]),
                "cpu_percent": likely_median([100 * (asking / free - 1) for asking, free in costs]),
            }
        process.send_signal(DO_NOT_ASK)
        Cluster.wait(told.exists, START_S, "the service of the benchmark does not tell")
        spent_ns, count = map(int, told.read_text().split())
    in_service_us = spent_ns / count / 1000
    for found_on_path in paths.values():
        share = in_service_us / found_on_path["asking"]["cpu_us"]
        found_on_path["in_service_percent"] = round(100 * share, 2)
    return {
        "verdict_us": round(verdict_us, 1),
        "in_service_us": round(in_service_us, 1),
        "limit_percent": GATE_LIMIT_PERCENT,
        "paths": paths,
    }


def likely_median(values: Sequence[float]) -> dict[str, float]:
    """The median, and the range in which it lies in 19 of 20 cases, by the order of the values.

    Each value lies above the true median or below it with the same chance, so how many lie below follows a
    binomial distribution (H. A. David, "Order Statistics", distribution-free confidence intervals).
    """
    ordered, half_width = sorted(values), 1.96 * math.sqrt(len(values)) / 2
    low = max(0, math.floor(len(ordered) / 2 - half_width))
    high = min(len(ordered) - 1, math.ceil(len(ordered) / 2 + half_width) - 1)
    figures = {"low": ordered[low], "median": statistics.median(ordered), "high": ordered[high]}
    return {name: round(value, 2) for name, value in figures.items()}


def _verdict_us(leader: Node) -> float:
    gateway = Gateway(leader.config)
    if gateway.verdict() is not Verdict.LEADING:
        raise RuntimeError(f"{leader.name} does not lead")
    began_s = time.perf_counter()
    for _ in range(VERDICTS):
        gateway.verdict()
    return 1e6 * (time.perf_counter() - began_s) / VERDICTS


def fill(target: Target, blueprints: int) -> None:
    """Have something to list."""
    archive = small_blueprint()
    with target.client() as client:
        for number in range(blueprints):
            client.upload(f"listed-{number}", archive)


def measure(effort: Effort, blueprints: int) -> dict[str, Any]:
    """All figures. Raises ``ClusterError`` and ``RuntimeError``."""
    with lone_manager() as lone, formed_cluster(settings=PATIENT) as cluster, logs_kept_on_failure(cluster):
        leader = cluster.wait_until_whole(WHOLE_TIMEOUT_S)
        targets = {"alone": Target.of(lone, next(iter(lone.bed))), "cluster": Target.of(cluster, leader)}
        for target in targets.values():
            fill(target, blueprints)
        kinds = {kind: (lambda target=target: target) for kind, target in targets.items()}
        reads = {
            path: {kind: found.summary() for kind, found in effort.alternate(kinds, path).items()}
            for path in PATHS
        }
        return {"clients": effort.clients, "reads": reads, "gate": gate_cost(cluster, effort)}


def show(result: Mapping[str, Any]) -> None:
    """Print the figures."""
    print(
        f"{'':12} {'':12} {'per s':>8} {'p50 ms':>8} {'p99 ms':>8} {'cpu µs':>8}"
        f"   ({result['clients']} clients)"
    )
    gate = result["gate"]
    for path in PATHS:
        by_kind = {**result["reads"][path], **gate["paths"][path]}
        for kind in ("alone", "cluster", "asking", "not_asking"):
            reads = by_kind[kind]
            times = f"{reads['p50_ms']:8.2f} {reads['p99_ms']:8.2f} {reads['cpu_us']:8}"
            print(f"{path:12} {kind:12} {reads['per_s']:8.1f} {times}")
    print(
        f"the gate's verdict takes {gate['verdict_us']:.1f} µs by itself: so much of a request's time; "
        f"{gate['in_service_us']:.1f} µs in a service that is read from: so much of its processor time "
        f"(each at most {GATE_LIMIT_PERCENT:g} %); "
        "so many requests fewer, so much more processor time (and where the medians lie in 19 of 20 cases):"
    )
    for path, found in gate["paths"].items():
        lost, cpu = found["lost_percent"], found["cpu_percent"]
        print(
            f"{path:12} {found['isolated_percent']:.2f} %; {found['in_service_percent']:.2f} %; "
            f"{lost['median']:.2f} % ({lost['low']:.2f} to {lost['high']:.2f}); "
            f"{cpu['median']:.2f} % ({cpu['low']:.2f} to {cpu['high']:.2f})"
        )


def within(gate: Mapping[str, Any]) -> bool:
    """Whether the gate costs less than it may: by its verdicts, and by a difference that is surely there."""
    return all(
        max(found["isolated_percent"], found["in_service_percent"], found["lost_percent"]["low"])
        < GATE_LIMIT_PERCENT
        for found in gate["paths"].values()
    )


def main() -> int:
    """Measure, print the figures and write them; 1 when the gate costs too much or there is no cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=4, help="how many read at a time (default 4)")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each kind (default 40)")
    parser.add_argument("--seconds", type=float, default=0.75, help="length of a round (default 0.75)")
    parser.add_argument("--blueprints", type=int, default=20, help="how many there are (default 20)")
    parser.add_argument(SERVE, type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
        return 0
    effort = Effort(arguments.clients, arguments.rounds, arguments.seconds)
    try:
        result = measure(effort, arguments.blueprints)
    except ClusterError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    show(result)
    print(write_result("rest", result))
    return 0 if within(result["gate"]) else 1


if __name__ == "__main__":
    sys.exit(main())
