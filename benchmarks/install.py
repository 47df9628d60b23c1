"""From nothing to a formed cluster of three machines with systemd: how long it takes, and what memory.

Run by ``make bench-install``, as root, with what ``make test-bed`` needs. The machines are those of the
tests' bed, and the commands those of the documentation, as ``vagrant/provision`` has them: the program from
wheels, ``cfy_manager install``, then ``cfy cluster start`` and ``join``. At the end ``cfy_manager remove -f``
on each. The packages of the distribution are in the image of the machines already, and not counted.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.beds import write_result
from benchmarks.idle import APART
from tests.cluster.bed import Bed
from tests.cluster.bed.node import Node
from tests.cluster.machines.managers import BIN, COMMAND_S, Managers

PROGRAM = "/opt/cloudify"
PHASES = ("program", "manager", "cluster", "removal")
SETTLE_S = 30.0
"""What a start needs for a moment is not what a node takes."""

PSS_OF_UNITS = """
for unit in $(systemctl list-units --plain --no-legend 'cloudify-*.service' | cut -d' ' -f1); do
    group=/sys/fs/cgroup$(systemctl show --property ControlGroup --value "$unit")
    for process in $(cat "$group/cgroup.procs"); do
        # It may have ended meanwhile.
        kib=$(sed -n 's/^Pss: *\\([0-9]*\\) kB/\\1/p' "/proc/$process/smaps_rollup" 2>/dev/null || echo 0)
        echo "$unit $kib"
    done
done
"""
KIB_PER_MIB = 1024


class Phases:
    """How long each phase took on each machine, in seconds."""

    def __init__(self) -> None:
        self.took_s: dict[str, dict[str, float]] = {}

    @contextmanager
    def phase(self, node: Node, name: str) -> Iterator[None]:
        """Measure the block."""
        print(f"{node.name}: {name}", file=sys.stderr)
        began_s = time.monotonic()
        yield
        self.took_s.setdefault(node.name, {})[name] = round(time.monotonic() - began_s, 2)


def pss_mib(node: Node) -> Mapping[str, float]:
    """The proportional set size of each of our services on a machine."""
    told = node.run("sh", "-c", PSS_OF_UNITS, timeout_s=COMMAND_S).stdout
    found: dict[str, float] = {}
    for line in told.splitlines():
        unit, _, kib = line.partition(" ")
        service = unit.removeprefix("cloudify-").removesuffix(".service")
        found[service] = found.get(service, 0.0) + int(kib or 0) / KIB_PER_MIB
    return {service: round(mib, 1) for service, mib in sorted(found.items())}


def measure(settle_s: float = SETTLE_S) -> dict[str, Any]:
    """Make the machines, the managers and the cluster, and take it all down; the figures of each node."""
    phases = Phases()
    with Bed.made(f"bench-{os.getpid()}") as bed, tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        with Managers(bed, Path(folder)) as managers:
            for node in bed:
                with phases.phase(node, "program"):
                    node.install_python(PROGRAM)
            _on_each(bed, phases, "manager", lambda node: managers.provision(node, "manager"))
            _on_each(bed, phases, "cluster", lambda node: managers.provision(node, "cluster"))
            formed_s = round(time.monotonic() - began_s, 2)
            time.sleep(settle_s)
            memory = {node.name: pss_mib(node) for node in bed}
            remove = (f"{BIN}/cfy_manager", "remove", "-f")
            _on_each(bed, phases, "removal", lambda node: node.run(*remove, timeout_s=COMMAND_S))
    nodes = {name: _figures(took_s, memory[name]) for name, took_s in phases.took_s.items()}
    return {"formed_s": formed_s, "nodes": nodes}


def _on_each(bed: Bed, phases: Phases, name: str, do: Callable[[Node], object]) -> None:
    for node in bed:
        with phases.phase(node, name):
            do(node)


def _figures(took_s: Mapping[str, float], memory: Mapping[str, float]) -> dict[str, Any]:
    counted = sum(mib for service, mib in memory.items() if service not in APART)
    return {"took_s": dict(took_s), "pss_mib": dict(memory), "pss_without_stores_mib": round(counted, 1)}


def show(result: Mapping[str, Any]) -> None:
    """Print the figures."""
    print(f"from three machines without the program to a cluster, one by one: {result['formed_s']:.0f} s")
    heads = [*(f"{phase}, s" for phase in PHASES), "all, MiB", "ours, MiB"]
    print(f"{'':<6}" + "".join(f"{head:>14}" for head in heads))
    for name, node in result["nodes"].items():
        figures = [*(node["took_s"][phase] for phase in PHASES), sum(node["pss_mib"].values())]
        figures.append(node["pss_without_stores_mib"])
        print(f"{name:<6}" + "".join(f"{figure:>14.1f}" for figure in figures))
    print(f"ours: without {' and '.join(APART)}; load {os.getloadavg()[0]:.1f}")


def main() -> int:
    """Measure, print the figures and write them."""
    result = measure()
    show(result)
    print(f"written to {write_result('install', result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
