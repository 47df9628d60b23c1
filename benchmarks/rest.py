"""How fast a manager answers reads, alone and as a cluster's leader, and what its gate costs of that.

Run by ``make bench-rest``. Clients that keep their connections read from a manager that is alone and from a
cluster's leader, in turns. What the gate costs is measured twice: its verdict by itself, beside the time of a
request; and one service that asks for it in one round and does not in the next, over and over. Requests per
second say what clients notice, the service's own processor time what is left when others take no part. Rounds
are short and many: two that are compared lie side by side, and what else the machine does is alike in both.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.beds import PATIENT, formed_cluster, logs_kept_on_failure, write_result
from benchmarks.keep_alive import small_blueprint
from benchmarks.reading import Effort, Target, spread
from demo.bed import Bed
from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Access
from manager.gate import Verdict
from manager.gateway import Gateway, load_config, settings_of
from manager.server import server
from orchestrator.config import CONFIG_VARIABLE
from orchestrator.model.errors import ClusterError

PATHS = ("/status", "/blueprints", "/tenants")
GATE_LIMIT_PERCENT = 5.0
START_S, WHOLE_TIMEOUT_S = 60.0, 180.0
VERDICTS = 20_000
SERVE = "--serve"
ASK, DO_NOT_ASK = signal.SIGUSR1, signal.SIGUSR2


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
    """Asks for the lease, or says that it leads without a look: as the last signal has it."""

    asks = True

    def verdict(self) -> Verdict:
        """See ``Gateway``."""
        return super().verdict() if self.asks else Verdict.LEADING


def serve(port: int) -> None:
    """Be one more REST service of the node that the environment names, until it is killed."""
    config = load_config()
    gateway = SwitchedGateway(config)
    signal.signal(ASK, lambda *_: setattr(gateway, "asks", True))
    signal.signal(DO_NOT_ASK, lambda *_: setattr(gateway, "asks", False))
    server(replace(settings_of(config), port=port), gateway).run()


@contextmanager
def one_more_service(node: Node, access: Access) -> Iterator[tuple[subprocess.Popen[bytes], Target]]:
    """A process beside the node's own service, made in the same way, whose gate can be switched."""
    with socket.socket() as probe:
        probe.bind((node.host_ip, 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, CONFIG_VARIABLE: str(node.config_file)}
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
    paths = {}
    with one_more_service(leader, cluster.access) as (process, target):

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
                "lost_percent": spread([100 * (1 - asking / free) for asking, free in rates]),
                "cpu_percent": spread([100 * (asking / free - 1) for asking, free in costs]),
            }
    return {"verdict_us": round(verdict_us, 1), "limit_percent": GATE_LIMIT_PERCENT, "paths": paths}


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
    print(f"the gate's verdict takes {gate['verdict_us']:.1f} µs: that much of a request's time,", end=" ")
    print(f"so many requests fewer (each at most {GATE_LIMIT_PERCENT:g} %), so much more processor time:")
    for path, found in gate["paths"].items():
        lost, cpu = found["lost_percent"], found["cpu_percent"]
        print(
            f"{path:12} {found['isolated_percent']:.2f} %; "
            f"{lost['median']:.2f} % ({lost['min']:.2f} to {lost['max']:.2f}); "
            f"{cpu['median']:.2f} % ({cpu['min']:.2f} to {cpu['max']:.2f})"
        )


def within(gate: Mapping[str, Any]) -> bool:
    """Whether the gate costs less than it may, by both ways of measuring."""
    return all(
        max(found["isolated_percent"], found["lost_percent"]["median"]) < GATE_LIMIT_PERCENT
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
