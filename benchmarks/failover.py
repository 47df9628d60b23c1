"""How long writing is interrupted by a fault of the leader, and that nothing acknowledged is lost by it.

Run by ``make bench-failover``. Each fault is injected several times under a steady writer at each member:
one that goes through the cluster as clients do, and one pinned to each node, to catch a node that
acknowledges when it must not. After each fault everything is mended and the cluster waited for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.beds import formed_cluster, keep_logs, logs_kept_on_failure, write_result
from demo.cluster import Cluster
from demo.node import Node
from demo.phases import Moment, phases
from demo.writer import Interruption, Journal, Writer, acknowledged_by_two, check

WARM_UP_WRITES = 50
WRITE_TIMEOUT_S = 60.0
WHOLE_TIMEOUT_S = 180.0
FROZEN_AT_LEAST_S = 6.0
SLOW_S = 5.0
"""Longer interruptions than this want an explanation: the nodes' logs are kept beside the results."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``inject`` happens to the leader; ``mend`` makes it whole again, when another one leads."""

    inject: Callable[[Cluster, Node], None]
    mend: Callable[[Node], None]


def _switch_over(cluster: Cluster, leader: Node) -> None:
    target = next(node for node in cluster.bed if node is not leader)
    cluster.client().request("PATCH", "/cluster", json={"master": target.name})


FAULTS: Mapping[str, Fault] = {
    "kill_node": Fault(lambda _, node: node.kill(include_consul=False), Node.start),
    "host_death": Fault(lambda _, node: node.kill(), Node.start),
    "hang": Fault(lambda _, node: node.freeze(), Node.thaw),
    "switchover": Fault(_switch_over, lambda _: None),
}


@dataclass(slots=True)
class Series:
    """What the repetitions of one fault gave."""

    interruptions_s: list[float] = field(default_factory=list)
    worst_s: list[float] = field(default_factory=list)
    phases_s: list[Mapping[str, float]] = field(default_factory=list)
    acknowledged: int = 0
    lost: int = 0
    double: int = 0

    def summary(self) -> dict[str, Any]:
        """The figures as ``failover.json`` has them; phases are medians."""
        names = sorted({name for spent in self.phases_s for name in spent})
        medians = {name: _median([spent.get(name, 0.0) for spent in self.phases_s]) for name in names}
        return {
            "n": len(self.interruptions_s),
            "interruption_s": {
                "min": round(min(self.interruptions_s), 3),
                "median": _median(self.interruptions_s),
                "max": round(max(self.interruptions_s), 3),
            },
            "phases_s": medians,
            "worst_gap_until_whole_s": round(max(self.worst_s), 3),
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "double": self.double,
        }


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def measure(cluster: Cluster, fault: Fault, series: Series) -> None:
    """Inject ``fault`` once, and add what it cost to ``series``."""
    leader = cluster.wait_until_whole(WHOLE_TIMEOUT_S)
    with ExitStack() as stack:
        client = stack.enter_context(Writer(cluster.access))
        pinned = [
            stack.enter_context(Writer(cluster.access_to(node), interval_s=0.2)) for node in cluster.bed
        ]
        _require(client.wait_for(WARM_UP_WRITES, WRITE_TIMEOUT_S), "writing did not get going")
        moment = Moment.now()
        fault.inject(cluster, leader)
        injected_s = time.monotonic()
        taken_over = client.wait_until(
            lambda: client.journal.first_after(moment.monotonic_s, not_by=leader.host_ip) is not None,
            WRITE_TIMEOUT_S,
        )
        _require(taken_over, f"nobody took over; {client.journal.complaint}")
        _let_the_old_one_stay_away(client, fault, injected_s)
        fault.mend(leader)
        cluster.wait_until_whole(WHOLE_TIMEOUT_S)
        _require(client.wait_for(WARM_UP_WRITES, WRITE_TIMEOUT_S), "writing did not go on")
    journals = [client.journal, *(writer.journal for writer in pinned)]
    _account(cluster, moment, leader, journals, series)


def _let_the_old_one_stay_away(client: Writer, fault: Fault, injected_s: float) -> None:
    """A node that hung for a moment would prove little: it wakes when the next term is well under way."""
    if fault is FAULTS["hang"]:
        client.wait_until(lambda: time.monotonic() >= injected_s + FROZEN_AT_LEAST_S, WRITE_TIMEOUT_S)


def _account(
    cluster: Cluster, moment: Moment, old: Node, journals: Sequence[Journal], series: Series
) -> None:
    gap = _takeover(journals[0], moment, old)
    began_s = max(moment.monotonic_s, gap.before.answered_s)
    spent = phases(cluster.history(), moment.unix(began_s), moment.unix(gap.after.answered_s))
    verdict = check(cluster.client(), journals)
    worst = journals[0].interruption(moment.monotonic_s) or gap
    if gap.duration_s > SLOW_S:
        keep_logs(cluster, f"{time.strftime('%H%M%S')}-{gap.duration_s:.1f}s")
    series.interruptions_s.append(gap.duration_s)
    series.worst_s.append(worst.duration_s)
    series.phases_s.append(spent)
    series.acknowledged += verdict.acknowledged
    series.lost += len(verdict.lost)
    series.double += acknowledged_by_two(journals, moment.monotonic_s)
    told = ", ".join(f"{name} {duration_s:.2f}" for name, duration_s in spent.items())
    print(f"  interrupted for {gap.duration_s:.2f} s ({told}); lost {len(verdict.lost)}", flush=True)


def _takeover(journal: Journal, moment: Moment, old: Node) -> Interruption:
    """From the last write before another member took over, to the first write that this one acknowledged."""
    after = journal.first_after(moment.monotonic_s, not_by=old.host_ip)
    if after is None:
        raise RuntimeError("nobody took over")
    earlier = [write for write in journal.acknowledged if write.answered_s < after.answered_s]
    return Interruption(max(earlier, key=lambda write: write.answered_s), after)


def _require(condition: object, complaint: str) -> None:
    if not condition:
        raise RuntimeError(complaint)


def show(results: Mapping[str, Any]) -> None:
    """Print the table of all faults."""
    print(f"\n{'fault':12} {'n':>3} {'min':>7} {'median':>7} {'max':>7}  acknowledged  lost  double")
    for name, result in results.items():
        spread = result["interruption_s"]
        print(
            f"{name:12} {result['n']:3} {spread['min']:6.2f}s {spread['median']:6.2f}s {spread['max']:6.2f}s"
            f"  {result['acknowledged']:12}  {result['lost']:4}  {result['double']:6}"
        )
        print(
            "             " + ", ".join(f"{phase} {took:.2f}" for phase, took in result["phases_s"].items())
        )


def main() -> int:
    """Run the series; the exit code says whether anything was lost or acknowledged twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="repetitions of each fault (default 5)")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with formed_cluster() as cluster, logs_kept_on_failure(cluster):
        for name in arguments.faults:
            print(f"{name}:", flush=True)
            series = Series()
            for _ in range(arguments.n):
                measure(cluster, FAULTS[name], series)
            results[name] = series.summary()
            path = write_result("failover", results)
    show(results)
    print(f"\n{path}")
    return 1 if any(result["lost"] or result["double"] for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
