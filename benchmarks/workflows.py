"""How many operations per second the engine carries out, beside a bare Celery group of as many tasks.

Run by ``make bench-workflows``. On a manager that is alone some executions run an operation that does
nothing, on each instance of their deployments. That is the whole path: the graph is built and stored, each
operation is stored, sent, stored as started, run, answered and stored as ended, with its events, which people
read. In turns with that, on the same broker, Celery as it comes runs as many tasks that do nothing.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks import bare_celery
from benchmarks.beds import write_result
from benchmarks.keep_alive import KeepAlive
from benchmarks.reading import spread
from benchmarks.rest import lone_manager
from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Client
from orchestrator.config import CONFIG_VARIABLE
from orchestrator.model.errors import ClusterError

OPERATION = "bench.nothing"
BLUEPRINT = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
plugins:
  b: {{executor: central_deployment_agent, install: false}}
node_types:
  thing:
    derived_from: cloudify.nodes.Root
    interfaces:
      bench: {{nothing: b.manager.operations.builtin.nothing}}
node_templates:
  thing:
    type: thing
    capabilities: {{scalable: {{properties: {{default_instances: {instances}}}}}}}
"""
LEAST_RATIO = 0.5
POLL_S, END_TIMEOUT_S = 0.1, 300.0


def blueprint(instances: int) -> bytes:
    """An archive with one node that has so many instances."""
    content = BLUEPRINT.format(instances=instances).encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        entry = tarfile.TarInfo("bench/blueprint.yaml")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


class Manager:
    """One that is alone, with deployments to run workflows on."""

    def __init__(self, cluster: Cluster, executions: int, instances: int) -> None:
        self.node: Node = next(iter(cluster.bed))
        self.deployments = [f"bench-{number}" for number in range(executions)]
        self.operations = executions * instances
        self._client = Client(cluster.access, read_timeout_s=END_TIMEOUT_S)
        with KeepAlive(cluster.access, self.node.host_ip) as connection:
            connection.upload("bench", blueprint(instances))
        for name in self.deployments:
            self._client.request("PUT", f"/deployments/{name}", json={"blueprint_id": "bench"})

    def operations_per_s(self) -> float:
        """Run them all, and wait for their end."""
        began_s = time.perf_counter()
        ids = [self._start(name) for name in self.deployments]
        for identifier in ids:
            self._wait(identifier)
        return self.operations / (time.perf_counter() - began_s)

    def _start(self, deployment: str) -> str:
        wish = {
            "deployment_id": deployment,
            "workflow_id": "execute_operation",
            "parameters": {"operation": OPERATION},
        }
        return str(self._client.request("POST", "/executions", json=wish).content["id"])

    def _wait(self, identifier: str) -> None:
        until_s = time.monotonic() + END_TIMEOUT_S
        while time.monotonic() < until_s:
            found = self._client.request("GET", f"/executions/{identifier}").content
            if found["status"] == "terminated":
                return
            if found["status"] in {"failed", "cancelled"}:
                raise RuntimeError(f"execution {identifier} is {found['status']}: {found['error']}")
            time.sleep(POLL_S)
        raise RuntimeError(f"execution {identifier} does not end")


@contextmanager
def bare_worker(node: Node) -> Iterator[None]:
    """Celery's worker on the node's broker."""
    environment = {**os.environ, CONFIG_VARIABLE: str(node.config_file)}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bare_celery"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(executions: int, instances: int, rounds: int) -> dict[str, Any]:
    """All figures. Raises ``ClusterError`` and ``RuntimeError``."""
    with lone_manager() as cluster:
        manager = Manager(cluster, executions, instances)
        bare = bare_celery.make_app(manager.node.config)
        with bare_worker(manager.node):
            # The first of each is not counted: processes start, and files are read.
            manager.operations_per_s()
            bare_celery.tasks_per_s(bare, manager.operations)
            ours, plain = [], []
            for _ in range(rounds):
                ours.append(manager.operations_per_s())
                plain.append(bare_celery.tasks_per_s(bare, manager.operations))
    # Of two rounds that lie side by side: what else the machine does changes slowly.
    ratios = [one / other for one, other in zip(ours, plain, strict=True)]
    return {
        "executions": executions,
        "operations": manager.operations,
        "rounds": rounds,
        "engine_per_s": spread(ours),
        "celery_per_s": spread(plain),
        "ratio": spread(ratios, 3),
        "least_ratio": LEAST_RATIO,
    }


def show(result: Mapping[str, Any]) -> None:
    """Print the figures."""
    print(
        f"{result['operations']} operations in {result['executions']} executions, {result['rounds']} rounds"
    )
    for name in ("engine_per_s", "celery_per_s", "ratio"):
        found = result[name]
        print(f"{name:14} {found['median']:9.2f}   ({found['min']:.2f} to {found['max']:.2f})")


def main() -> int:
    """Measure, print the figures and write them; 1 when the engine is too slow, or does not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=8, help="how many run beside each other (8)")
    parser.add_argument("--instances", type=int, default=250, help="operations in each of them (250)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    options = parser.parse_args()
    try:
        result = measure(options.executions, options.instances, options.rounds)
    except (ClusterError, RuntimeError) as error:
        print(f"It could not be measured: {error}", file=sys.stderr)
        return 1
    show(result)
    print(f"written to {write_result('workflows', result)}")
    return 0 if result["ratio"]["median"] >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
