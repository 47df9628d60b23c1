"""What mirroring files costs beside plain rsync, and how soon an upload is acknowledged.

Run by ``make bench-files``. On a formed cluster the real action of a replica (``SyncFiles``, with its reads
of Consul, its syncs to disk and its report) is timed, from this process. Before or after it ``rsync -a`` over
ssh copies the same files, from and to the same disks. The cluster's own periodic passes are put off.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.beds import formed_cluster, logs_kept_on_failure, write_result
from benchmarks.keep_alive import KeepAlive, small_blueprint
from benchmarks.plain_rsync import PlainRsync, plain_rsync
from benchmarks.reading import spread
from demo.cluster import Cluster
from demo.node import Node
from orchestrator.act import perform
from orchestrator.clients.files import sync_file_system
from orchestrator.model.errors import ClusterError
from orchestrator.model.file_actions import SyncFiles
from orchestrator.record import files

LIMITS = {"first": 1.2, "unchanged": 1.5, "changed": 1.5}
"""The most that each sync may take, in times of what plain rsync takes."""

ACKNOWLEDGED_LIMIT_S = 0.5
SMALL_BYTES, BLOCK_BYTES = 2048, 1 << 20
CHANGED_ONE_IN = 100
WARM_UP_UPLOADS = 3
WHOLE_TIMEOUT_S = 180.0
DIGITS = 4
NEVER_S = 1e6
QUIET = {"files": {"compare_every_s": NEVER_S, "check_every_s": NEVER_S, "sweep_every_s": NEVER_S}}
"""The replicas' own passes would run into those that are timed; and no row names the files that are used."""


@dataclass(frozen=True, slots=True)
class Load:
    """Files of one size, in units."""

    units: int
    files_each: int
    file_bytes: int

    def write(self, tree: Path) -> None:
        """Have them in a tree."""
        chance = random.Random(1)
        for number in range(self.units):
            name = uuid.UUID(int=chance.getrandbits(128)).hex
            content = tree / "blueprints" / "default_tenant" / f"bench-{number}" / name / "content"
            content.mkdir(parents=True)
            for file in range(self.files_each):
                _write(content / f"file-{file}", self.file_bytes, chance)


def _write(path: Path, size: int, chance: random.Random) -> None:
    with path.open("wb") as file:
        for start in range(0, size, BLOCK_BYTES):
            file.write(chance.randbytes(min(BLOCK_BYTES, size - start)))


def change(tree: Path, chance: random.Random) -> None:
    """One file in a hundred becomes another of the same size; of a large one, one block in a hundred."""
    for path in sorted(path for path in tree.rglob("*") if path.is_file())[::CHANGED_ONE_IN]:
        size = path.stat().st_size
        with path.open("r+b") as file:
            for start in range(0, size, BLOCK_BYTES * CHANGED_ONE_IN):
                file.seek(start)
                file.write(chance.randbytes(min(BLOCK_BYTES, size - start)))


@dataclass(slots=True)
class Times:
    """The seconds of one kind of sync. ``synced_s``: plain rsync, and then until all of it is on disk."""

    ours_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)
    synced_s: list[float] = field(default_factory=list)

    def summary(self, limit: float) -> dict[str, Any]:
        """The figures as ``files.json`` has them."""
        ours_s, plain_s, synced_s = map(statistics.median, (self.ours_s, self.plain_s, self.synced_s))
        return {
            "n": len(self.ours_s),
            "ours_s": spread(self.ours_s, DIGITS),
            "plain_s": spread(self.plain_s, DIGITS),
            "plain_on_disk_s": spread(self.synced_s, DIGITS),
            "ratio": round(ours_s / plain_s, 3),
            "ratio_on_disk": round(ours_s / synced_s, 3),
            "limit": limit,
        }


@dataclass(frozen=True, slots=True)
class Race:
    """A replica mirrors the leader's files, and plain rsync copies them beside it."""

    cluster: Cluster
    leader: Node
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
        _empty(self.source)
        self._clear()
        self._both(Times(), plain_first=False)

    def run(self, load: Load, repetitions: int) -> dict[str, Any]:
        """Time each kind of sync several times, now one and now the other first."""
        times = {kind: Times() for kind in LIMITS}
        chance = random.Random(2)
        _empty(self.source)
        load.write(self.source)
        for number in range(repetitions):
            self._clear()
            for kind, spent in times.items():
                if kind == "changed":
                    change(self.source, chance)
                self._both(spent, plain_first=number % 2 == 1)
            self._require_alike()
        self._clear()
        _empty(self.source)
        return {kind: spent.summary(LIMITS[kind]) for kind, spent in times.items()}

    def _clear(self) -> None:
        for folder in (self.replica.config.paths.files, self.replica.config.paths.incoming, self.beside):
            _empty(folder)

    def _both(self, times: Times, *, plain_first: bool) -> None:
        runs: list[Callable[[Times], None]] = [self._ours, self._plain]
        for run in reversed(runs) if plain_first else runs:
            os.sync()  # What was written before is not this run's burden.
            run(times)

    def _ours(self, times: Times) -> None:
        self._hang_up()
        clients = self.replica.clients
        lease = self.cluster.view(self.leader).lease
        began_s = time.monotonic()
        perform(clients, SyncFiles(lease.term, self.leader.name, compare=True))
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
    shutil.rmtree(folder, ignore_errors=True)
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
        yield Race(cluster, leader, replica, plain)


def acknowledgements(cluster: Cluster, count: int) -> dict[str, Any]:
    """From the last byte of an upload to its acknowledgement."""
    archive, leader = small_blueprint(), cluster.leader()
    with KeepAlive(cluster.access, leader.host_ip) as client:
        took_s = [
            client.upload(f"small-{number}", archive).acknowledged_s
            for number in range(WARM_UP_UPLOADS + count)
        ]
    return {"n": count, "after_s": spread(took_s[WARM_UP_UPLOADS:], DIGITS), "limit_s": ACKNOWLEDGED_LIMIT_S}


def loads(small: int, large_mib: int) -> dict[str, Load]:
    """What is mirrored; the small files both in few large units and in many small ones."""
    return {
        f"{small} files in units of 100": Load(max(1, small // 100), 100, SMALL_BYTES),
        f"{small} files in units of 10": Load(max(1, small // 10), 10, SMALL_BYTES),
        f"one file of {large_mib} MiB": Load(1, 1, large_mib << 20),
    }


def show(name: str, kinds: Mapping[str, Any]) -> None:
    """Print the figures of one load."""
    for kind, found in kinds.items():
        ours, plain, synced = (found[key]["median"] for key in ("ours_s", "plain_s", "plain_on_disk_s"))
        print(
            f"{name:26} {kind:10} {ours:7.3f}s {plain:7.3f}s {synced:7.3f}s {found['ratio']:6.2f}"
            f" (limit {found['limit']}) {found['ratio_on_disk']:6.2f}",
            flush=True,
        )


def within(result: Mapping[str, Any]) -> bool:
    """Whether no limit was passed."""
    kinds = (found for load in result["syncs"].values() for found in load.values())
    uploads = result["uploads"]
    return uploads["after_s"]["median"] <= uploads["limit_s"] and all(
        found["ratio"] <= found["limit"] for found in kinds
    )


def main() -> int:
    """Measure, print the figures and write them; 1 when a limit was passed or there is no cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=7, help="repetitions of each sync (default 7)")
    parser.add_argument("--small", type=int, default=10_000, help="how many small files (default 10000)")
    parser.add_argument(
        "--large-mib", type=int, default=1024, help="the size of the large one (default 1024)"
    )
    parser.add_argument("--uploads", type=int, default=25, help="how many uploads (default 25)")
    arguments = parser.parse_args()
    syncs: dict[str, Any] = {}
    try:
        with formed_cluster(settings=QUIET) as cluster, logs_kept_on_failure(cluster):
            print(f"{'':26} {'sync':10} {'ours':>8} {'plain':>8} {'on disk':>8}  ratio{'':12} on disk")
            with race(cluster) as runners:
                runners.warm_up()
                for name, load in loads(arguments.small, arguments.large_mib).items():
                    syncs[name] = runners.run(load, arguments.n)
                    show(name, syncs[name])
            uploads = acknowledgements(cluster, arguments.uploads)
    except ClusterError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    after = uploads["after_s"]
    print(
        f"uploads are acknowledged {after['median']:.3f} s after their last byte"
        f" ({after['min']:.3f} to {after['max']:.3f}, n = {uploads['n']}; limit {ACKNOWLEDGED_LIMIT_S} s)"
    )
    result = {"syncs": syncs, "uploads": uploads, "load": round(os.getloadavg()[0], 1)}
    print(write_result("files", result))
    return 0 if within(result) else 1


if __name__ == "__main__":
    sys.exit(main())
