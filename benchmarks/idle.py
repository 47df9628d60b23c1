"""What an idle node costs: processor time and memory of all its services, on the leader and on a replica.

Run it with ``python -m benchmarks.idle``. Three managers are formed into a cluster and left alone; PostgreSQL
and Consul are shown, but do not count: how much they take is up to whoever configures them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.beds import formed_cluster
from benchmarks.cost import Cost, Meter, Reading, costs, total
from orchestrator.model.errors import ClusterError

OUT = Path(__file__).parent / "out" / "idle.json"
APART = ("postgresql", "consul")
"""Services that do not count."""

CPU_LIMIT_PERCENT, PSS_LIMIT_MIB = 3.0, 200.0
SETTLE_S, IDLE_S = 15.0, 60.0
"""How long the cluster is left alone before the measurement, until its start has been digested, and in it."""


def measure(settle_s: float, idle_s: float) -> dict[str, Any]:
    """Form a cluster, leave it alone, and return the figures of its nodes."""
    with formed_cluster() as cluster:
        leader = cluster.leader()
        time.sleep(settle_s)
        meters = [Meter(node) for node in cluster.bed]
        before = [meter.read() for meter in meters]
        time.sleep(idle_s)
        after = [meter.read() for meter in meters]
        return {
            meter.node.name: {
                "role": "leader" if meter.node is leader else "replica",
                **_figures(earlier, later),
            }
            for meter, earlier, later in zip(meters, before, after, strict=True)
        }


def _figures(before: Reading, after: Reading) -> dict[str, Any]:
    services = costs(before, after)
    counted = total(cost for name, cost in services.items() if name not in APART)
    return {
        "cpu_percent": counted.cpu_percent,
        "pss_mib": counted.pss_mib,
        "services": {name: asdict(cost) for name, cost in sorted(services.items())},
        # A service that was started anew in between was not idle, and has not been accounted for fully.
        "restarted": sorted(name for name in before.pids if before.pids[name][:1] != after.pids[name][:1]),
    }


def show(name: str, node: Mapping[str, Any]) -> None:
    """Print the figures of a node."""
    print(f"{name} ({node['role']}){'':<10} processes   CPU %   PSS MiB")
    for service, figures in node["services"].items():
        cost = Cost(**figures)
        mark = "  (not counted)" if service in APART else ""
        print(f"  {service:<20} {cost.processes:>8} {cost.cpu_percent:>8.2f} {cost.pss_mib:>8.1f}{mark}")
    print(f"  {'sum of what counts':<29} {node['cpu_percent']:>8.2f} {node['pss_mib']:>8.1f}")
    if node["restarted"]:
        print(f"  restarted meanwhile: {', '.join(node['restarted'])}")


def main() -> int:
    """Measure, print the figures and write them; 1 when the cluster cannot be formed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settle-s", type=float, default=SETTLE_S, help="seconds to wait before it")
    parser.add_argument("--idle-s", type=float, default=IDLE_S, help="seconds to measure for")
    arguments = parser.parse_args()
    try:
        nodes = measure(arguments.settle_s, arguments.idle_s)
    except ClusterError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    for name, node in nodes.items():
        show(name, node)
    print(f"aim: below {CPU_LIMIT_PERCENT:g} % of a core and {PSS_LIMIT_MIB:g} MiB; ", end="")
    print(f"{arguments.idle_s:g} s; load {os.getloadavg()[0]:.1f}")
    limits = {"cpu_percent": CPU_LIMIT_PERCENT, "pss_mib": PSS_LIMIT_MIB}
    figures = {"idle_s": arguments.idle_s, "limits": limits, "nodes": nodes}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
