"""That a working leader is not failed over for nothing: both cores busy, the cluster under traffic.

Run by ``make bench-calm``. It counts changes of leadership, of which there should be
none, and the longest interruption.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Process

from benchmarks.beds import formed_cluster, write_result
from demo.writer import Writer, check

LOOPS_PER_CORE = 3
WHOLE_TIMEOUT_S = 180.0
LOOK_EVERY_S = 1.0


def _burn() -> None:
    while os.getppid() != 1:
        sum(range(100_000))


@contextmanager
def busy_cores(loops_per_core: int) -> Iterator[int]:
    """Keep every core busy with several endless loops; yields how many."""
    loops = [Process(target=_burn, daemon=True) for _ in range(loops_per_core * (os.cpu_count() or 1))]
    for loop in loops:
        loop.start()
    try:
        yield len(loops)
    finally:
        for loop in loops:
            loop.kill()
            loop.join()


def main() -> int:
    """Run; the exit code says whether the leader changed or anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long the cores are busy (default 3)")
    minutes = parser.parse_args().minutes
    with formed_cluster() as cluster:
        leader = cluster.wait_until_whole(WHOLE_TIMEOUT_S)
        term = cluster.view(leader).lease.term
        with Writer(cluster.access, read_timeout_s=10.0) as writer:
            writer.wait_for(50, WHOLE_TIMEOUT_S)
            began_s = time.monotonic()
            with busy_cores(LOOPS_PER_CORE) as loops:
                while time.monotonic() < began_s + 60 * minutes:
                    time.sleep(LOOK_EVERY_S)
        after = cluster.wait_until_whole(WHOLE_TIMEOUT_S)
        failovers = cluster.view(after).lease.term - term
        worst = writer.journal.interruption(began_s)
        verdict = check(cluster.client(), [writer.journal])
    result = {
        "minutes": minutes,
        "busy_loops": loops,
        "failovers": failovers,
        "acknowledged": verdict.acknowledged,
        "lost": len(verdict.lost),
        "longest_gap_s": round(worst.duration_s, 3) if worst else None,
    }
    for name, value in result.items():
        print(f"{name:14} {value}")
    print(write_result("calm", result))
    return 1 if failovers or verdict.lost else 0


if __name__ == "__main__":
    sys.exit(main())
