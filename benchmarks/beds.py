"""What the benchmarks stand on: a formed cluster that is thrown away afterwards, and where results go."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.bed import Bed
from demo.cfy import Cfy, form
from demo.cluster import Cluster
from demo.node import Settings
from orchestrator.model.errors import ClusterError

OUT = Path(__file__).parent / "out"
FORM_TIMEOUT_S = 120.0
PATIENT: Settings = {"timing": {"heartbeat_ttl_s": 20.0, "drop_after_s": 60.0}}
"""For what measures no failover: nobody is to take over because the machine is busy with something else."""


@contextmanager
def formed_cluster(size: int = 3, *, settings: Settings | None = None) -> Iterator[Cluster]:
    """A cluster of ``size`` managers on this machine, formed by its commands. ``settings``: of each node."""
    with tempfile.TemporaryDirectory(prefix="cfy-bench-") as folder:
        bed = Bed(Path(folder), [f"n{number}" for number in range(1, size + 1)], settings=settings)
        try:
            cluster = Cluster(bed)
            cluster.install()
            cluster.start()
            form(cluster, Cfy(cluster), FORM_TIMEOUT_S)
            yield cluster
        finally:
            bed.destroy()


def keep_logs(cluster: Cluster, name: str) -> None:
    """Copy the nodes' cluster logs to ``benchmarks/out/logs/<name>``, because the bed will be gone."""
    folder = OUT / "logs" / name
    folder.mkdir(parents=True, exist_ok=True)
    for node in cluster.bed:
        shutil.copyfile(node.config.paths.cluster_log, folder / f"{node.name}.log")


@contextmanager
def logs_kept_on_failure(cluster: Cluster) -> Iterator[None]:
    """Keep the nodes' logs when the block fails: what they tell is the reason."""
    try:
        yield
    except (RuntimeError, ClusterError):
        keep_logs(cluster, "failed")
        raise


def write_result(name: str, result: Mapping[str, Any]) -> Path:
    """Keep a benchmark's figures in ``benchmarks/out/<name>.json``; returns the file."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
