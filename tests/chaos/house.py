"""A cluster on the bed for faults: made for a run, whole before each scenario, and gone afterwards.

Whoever runs this holds a lock. What a killed runner has left is swept by the next one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from demo.cfy import Cfy, form
from demo.cluster import Cluster
from demo.places import make_private
from orchestrator.clients import supervisord
from orchestrator.model.errors import ClusterError
from tests.chaos import mutated
from tests.chaos.bed import ChaosBed
from tests.cluster.bed import host

ROOT = Path(f"/var/tmp/cfy-chaos-{os.geteuid()}")  # noqa: S108  It is this user's own, and private.
LOCK = Path(f"{ROOT}.lock")
FORM_S = 300.0
PRELOADED = supervisord.PRELOADED


class Busy(ClusterError):
    """Another run holds the bed."""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of the bed. Raises ``Busy``, and ``BedError`` when the machine lacks something."""
    host.check()
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another run of the chaos suite is under way on this machine") from None
        yield


def sweep() -> bool:
    """Remove what is left of an earlier run; whether there was anything."""
    make_private(ROOT)
    left = ChaosBed.load(ROOT)
    # A switch without a record is what a runner leaves that was killed in between.
    (left or ChaosBed(ROOT, ())).destroy()
    return left is not None


@contextmanager
def formed(size: int, options: Mapping[str, str], logs: Path, mutation: str = "") -> Iterator[Cluster]:
    """A cluster of so many hosts, with these node options. What they logged is kept in ``logs``.

    ``mutation``: with one rule less (``mutated``).
    """
    cluster = Cluster(bed := ChaosBed(ROOT, [f"n{number}" for number in range(1, size + 1)]))
    supervisord.PRELOADED = ",".join([PRELOADED, mutated.__name__] if mutation else [PRELOADED])
    try:
        cluster.install()
        for node in cluster.bed if mutation else ():
            (node.config_file.parent / mutated.FILE).write_text(mutation)
        # From here on this process stands where the switch is: beside the hosts, as their clients do.
        bed.network.enter()
        cluster.start(FORM_S)
        form(cluster, Cfy(cluster), FORM_S)
        for node in cluster.bed if options else ():
            cluster.client().request("PATCH", f"/cluster/nodes/{node.name}", json=dict(options))
        yield cluster
    finally:
        bed.keep_logs(logs)
        bed.destroy()
