"""What mirroring files costs beside plain rsync, and how soon an upload is acknowledged.

Run by ``make bench-files``. On a formed cluster the real action of a replica (``SyncFiles``, with its reads
of Consul, its syncs to disk and its report) is timed, from this process. Before or after it ``rsync -a`` over
ssh copies the same files, from and to the same disks. Both make a new connection. The cluster's own periodic
passes are put off, and its members are patient: nobody may take over because a disk is busy with the copies.

How a replica is woken is no part of the action. It is part of an upload's acknowledgement, which is measured
twice: one upload after the other, and after pauses, when the connection is closed and no worker is there.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.beds import PATIENT, formed_cluster, logs_kept_on_failure, write_result
from benchmarks.file_loads import Load, change, loads
from benchmarks.keep_alive import KeepAlive, small_blueprint
from benchmarks.plain_rsync import PlainRsync, plain_rsync
from benchmarks.reading import spread
from demo.cluster import Cluster
from demo.node import Node
from orchestrator.act import perform
from orchestrator.clients.files import sync_file_system
from orchestrator.clients.mirror.transfer import KEEP_CONNECTION_S
from orchestrator.model.errors import ClusterError, StaleTerm
from orchestrator.model.file_actions import SyncFiles
from orchestrator.record import files

LIMITS = {"first": 1.2, "unchanged": 1.5, "changed": 1.5}
"""The most that each sync may take, in times of what plain rsync takes."""

ACKNOWLEDGED_LIMIT_S = 0.5
LARGE_BYTES = 1 << 24
WARM_UP_UPLOADS = 3
PAUSE_S = KEEP_CONNECTION_S + 5.0
"""After so long a replica has hung up, and its worker for files has ended."""
WHOLE_TIMEOUT_S = 180.0
DIGITS = 4
NEVER_S = 1e6
QUIET = {
    **PATIENT,
    "files": {"compare_every_s": NEVER_S, "check_every_s": NEVER_S, "sweep_every_s": NEVER_S},
}
"""The replicas' own passes would run into those that are timed; and no row names the files that are used.

A new leader would have both done at once.
"""


@dataclass(slots=True)
class Times:
    """The seconds of one kind of sync. ``synced_s``: plain rsync, and then until all of it is on disk."""

    ours_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)
    synced_s: list[float] = field(default_factory=list)

    def summary(self, limit: float) -> dict[str, Any]:
        """The figures as ``files.json`` has them."""
        return {
            "n": len(self.ours_s),
            "ours_s": spread(self.ours_s, DIGITS),
            "plain_s": spread(self.plain_s, DIGITS),
            "plain_on_disk_s": spread(self.synced_s, DIGITS),
            "ratio": _ratio(self.ours_s, self.plain_s),
            "ratio_on_disk": _ratio(self.ours_s, self.synced_s),
            "limit": limit,
        }


def _ratio(ours_s: list[float], theirs_s: list[float]) -> dict[str, float]:
    """Of rounds, in each of which both came first once: a disk is slower for who comes second, or faster.

    What lies side by side is compared, because what else the machine does changes slowly.
    """
    rounds = zip(_rounds(ours_s), _rounds(theirs_s), strict=True)
    return spread([ours / theirs for ours, theirs in rounds], DIGITS)


def _rounds(runs_s: list[float]) -> list[float]:
    return [first + second for first, second in zip(runs_s[::2], runs_s[1::2], strict=True)]


@dataclass(frozen=True, slots=True)
class Race:
    """A replica mirrors the leader's files, and plain rsync copies them beside it."""

    cluster: Cluster
    leader: Node
    term: int
    replica: Node
    plain: PlainRsync

    @property
    def source(self) -> Path:
        """The leader's files."""
        return self.leader.config.paths.files

    @property
    def beside(self) -> Path:
        """Where plain rsync copies to: on the same file system as the replica's files."""
        return self.replica.config.paths.state / "plain"

    def warm_up(self) -> None:
        """Have both run once: a process that mirrors has long imported what it needs, unlike this one."""
        self._clear(self.source)
        self._clear()
        self._both(Times(), plain_first=False)

    def run(self, load: Load, rounds: int) -> dict[str, Any]:
        """Time each kind of sync several times, in each round once the one and once the other first."""
        times = {kind: Times() for kind in LIMITS}
        chance = random.Random(2)
        self._clear(self.source)
        load.write(self.source)
        for plain_first in (False, True) * rounds:
            self._clear()
            for kind, spent in times.items():
                if kind == "changed":
                    change(self.source, chance)
                self._both(spent, plain_first=plain_first)
            self._require_alike()
        self._clear(self.source)
        return {kind: spent.summary(LIMITS[kind]) for kind, spent in times.items()}

    def _clear(self, *folders: Path) -> None:
        """Have these empty; without any, those that are copied to."""
        paths = self.replica.config.paths
        for folder in folders or (paths.files, paths.incoming, self.beside):
            _empty(folder)

    def _both(self, times: Times, *, plain_first: bool) -> None:
        runs: list[Callable[[Times], None]] = [self._ours, self._plain]
        for run in reversed(runs) if plain_first else runs:
            os.sync()  # What was written before is not this run's burden.
            try:
                run(times)
            finally:
                self._require_leader()

    def _require_leader(self) -> None:
        """Under another leader the files that are used would be removed, as no row names them."""
        lease = self.cluster.view(self.leader).lease
        if (lease.holder, lease.term) != (self.leader.name, self.term):
            raise StaleTerm(f"{self.leader.name} leads no more: the machine is too busy for this benchmark")

    def _ours(self, times: Times) -> None:
        self._hang_up()
        clients = self.replica.clients
        began_s = time.monotonic()
        perform(clients, SyncFiles(self.term, self.leader.name, compare=True))
        times.ours_s.append(time.monotonic() - began_s)

    def _plain(self, times: Times) -> None:
        began_s = time.monotonic()
        self.plain.copy(self.source, self.beside)
        times.plain_s.append(time.monotonic() - began_s)
        sync_file_system(self.beside)
        times.synced_s.append(time.monotonic() - began_s)

    def _hang_up(self) -> None:
        """Both begin with a new connection: a replica keeps one for half as long as its passes are apart."""
        for path in self.replica.config.paths.run.glob("ssh-*"):
            command = ["ssh", "-S", str(path), "-O", "exit", "leader"]
            subprocess.run(command, check=False, capture_output=True, timeout=10)

    def _require_alike(self) -> None:
        for target in (self.replica.config.paths.files, self.beside):
            subprocess.run(["diff", "-rq", str(self.source), str(target)], check=True)


def _empty(folder: Path) -> None:
    """What was there goes out of the way. Small files are not deleted before the bed is.

    ext4 takes a new file's inode from those that were not deleted just now, and looks at each of them anew
    for each file: after ten thousand deletions a copy may take ten times as long.
    """
    if folder.exists():
        aside = folder.with_name(f"aside-{uuid.uuid4().hex}")
        folder.rename(aside)
        for path in aside.rglob("*"):
            if path.is_file() and path.stat().st_size > LARGE_BYTES:
                path.unlink()
    folder.mkdir(mode=0o755, parents=True)


@contextmanager
def race(cluster: Cluster) -> Iterator[Race]:
    """The leader and a replica, when neither has anything to do about files any more."""
    leader = cluster.wait_until_whole(WHOLE_TIMEOUT_S)

    def settled() -> bool:
        record = cluster.view(leader).files
        swept = files.read(leader.config).swept_at_s is not None
        mirrored = (files.read(node.config).mirrored == record for node in cluster.bed if node is not leader)
        return record is not None and record.complete and swept and all(mirrored)

    cluster.wait(settled, WHOLE_TIMEOUT_S, "the files are not settled")
    replica = next(node for node in cluster.bed if node is not leader)
    with plain_rsync(leader, replica) as plain:
        yield Race(cluster, leader, cluster.view(leader).lease.term, replica, plain)


def acknowledgements(cluster: Cluster, count: int, pauses: int) -> dict[str, Any]:
    """From the last byte of an upload to its acknowledgement."""
    archive, leader, numbers = small_blueprint(), cluster.leader(), itertools.count()

    def upload(pause_s: float = 0.0) -> float:
        time.sleep(pause_s)
        with KeepAlive(cluster.access, leader.host_ip) as client:
            return client.upload(f"small-{next(numbers)}", archive).acknowledged_s

    for _ in range(WARM_UP_UPLOADS):
        upload()
    took_s = {
        "after_s": [upload() for _ in range(count)],
        "after_pause_s": [upload(PAUSE_S) for _ in range(pauses)],
    }
    shown = {name: {"n": len(each), **spread(each, DIGITS)} for name, each in took_s.items() if each}
    return {**shown, "limit_s": ACKNOWLEDGED_LIMIT_S}


def show(name: str, kinds: Mapping[str, Any]) -> None:
    """Print the figures of one load."""
    for kind, found in kinds.items():
        ours, plain, synced = (found[key]["median"] for key in ("ours_s", "plain_s", "plain_on_disk_s"))
        ratio = found["ratio"]
        print(
            f"{name:26} {kind:10} {ours:7.3f}s {plain:7.3f}s {synced:7.3f}s {ratio['median']:6.2f}"
            f" ({ratio['min']:.2f} to {ratio['max']:.2f}; limit {found['limit']})"
            f" {found['ratio_on_disk']['median']:6.2f}",
            flush=True,
        )


def show_uploads(uploads: Mapping[str, Any]) -> None:
    """Print how soon uploads are acknowledged."""
    print(f"limit of the median of those one after the other: {ACKNOWLEDGED_LIMIT_S} s")
    for name, when in (("after_s", "one after the other"), ("after_pause_s", "each after a pause")):
        if after := uploads.get(name):
            print(
                f"uploads, {when}, are acknowledged {after['median']:.3f} s after their last byte"
                f" ({after['min']:.3f} to {after['max']:.3f}, n = {after['n']})"
            )


def within(result: Mapping[str, Any]) -> bool:
    """Whether no limit was passed."""
    kinds = (found for load in result["syncs"].values() for found in load.values())
    uploads = result["uploads"]
    return uploads["after_s"]["median"] <= uploads["limit_s"] and all(
        found["ratio"]["median"] <= found["limit"] for found in kinds
    )


def main() -> int:
    """Measure, print the figures and write them; 1 when a limit was passed or there is no cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=3, help="rounds, of two runs of each sync (default 3)")
    parser.add_argument("--small", type=int, default=10_000, help="how many small files (default 10000)")
    parser.add_argument(
        "--large-mib", type=int, default=1024, help="the size of the large one (default 1024)"
    )
    parser.add_argument("--uploads", type=int, default=25, help="how many uploads (default 25)")
    parser.add_argument(
        "--pauses", type=int, default=3, help=f"how many after pauses of {PAUSE_S:g} s (default 3)"
    )
    arguments = parser.parse_args()
    syncs: dict[str, Any] = {}
    try:
        with formed_cluster(settings=QUIET) as cluster, logs_kept_on_failure(cluster):
            print(f"{'':26} {'sync':10} {'ours':>8} {'plain':>8} {'on disk':>8}  ratio{'':28} on disk")
            with race(cluster) as runners:
                runners.warm_up()
                for name, load in loads(arguments.small, arguments.large_mib).items():
                    syncs[name] = runners.run(load, arguments.n)
                    show(name, syncs[name])
            uploads = acknowledgements(cluster, arguments.uploads, arguments.pauses)
    except ClusterError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    show_uploads(uploads)
    result = {"syncs": syncs, "uploads": uploads, "load": round(os.getloadavg()[0], 1)}
    print(write_result("files", result))
    return 0 if within(result) else 1


if __name__ == "__main__":
    sys.exit(main())
