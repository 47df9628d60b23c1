"""How soon interrupted workflows go on, or have failed, when the leader dies; and that nothing runs twice.

Run by ``make bench-resume``. Half of the executions can be resumed (``install``), half cannot (``heal``).
Each has finished an operation and waits in its next one when everything of the leader is killed. A ledger
outside of the cluster, into which each operation writes when it runs, tells what was really done.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.beds import formed_cluster, logs_kept_on_failure, write_result
from demo.cluster import Cluster
from demo.workshop import Entry, Workshop
from orchestrator.model.errors import Unfinished

LIMIT_S = 10.0
WHOLE_TIMEOUT_S, END_TIMEOUT_S = 180.0, 900.0
PIECES = 50
"""Instances of one deployment: each has two executions of its own, one of each kind."""

READ_TIMEOUT_S = 60.0
STARTERS = 4
LOOK_EVERY_S = 0.1
TOLD_EVERY_S = 10.0


def main() -> int:
    """Run; the exit code says whether it was soon enough, and nothing was done twice or left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--executions", type=int, default=1000, help="how many are interrupted (default 1000)"
    )
    count = parser.parse_args().executions
    with formed_cluster() as cluster, logs_kept_on_failure(cluster), tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        result = measure(cluster, Workshop(Path(folder) / "workshop", _client(cluster)), count)
    write_result("resume", result)
    for name, value in result.items():
        print(f"{name}: {value}")
    good = result["settled_s"] <= LIMIT_S and not result["finished_twice"] and not result["lost"]
    return 0 if good else 1


def measure(cluster: Cluster, workshop: Workshop, count: int) -> dict[str, Any]:
    """Interrupt ``count`` executions."""
    cluster.wait_until_whole(WHOLE_TIMEOUT_S)
    resumable, fragile = start(cluster, workshop, count // 2)
    wait_until_all_wait(workshop, count)
    old = cluster.leader()
    before = finished_operations(workshop.entries())
    print(
        f"{count} executions wait; {len(before)} operations are finished. The leader is killed.", flush=True
    )
    old.kill()
    killed_s = time.monotonic()
    cluster.wait(lambda: cluster.leader() is not old, WHOLE_TIMEOUT_S, "nobody took over")
    leading_s = time.monotonic()
    settled_s = wait_until_settled(cluster, set(resumable), set(fragile)) - leading_s
    print(f"all have failed or go on after {settled_s:.2f} s", flush=True)
    workshop.open_gate()
    began_s = time.monotonic()
    ends = wait_until_ended(cluster, [*resumable, *fragile])
    done = workshop.times_done()
    return {
        "executions": count,
        "until_new_leader_s": round(leading_s - killed_s, 3),
        "settled_s": round(settled_s, 3),
        "until_all_ended_s": round(time.monotonic() - began_s, 3),
        "resumed_and_completed": sum(ends[name] == "terminated" for name in resumable),
        "failed_at_once": sum(ends[name] == "failed" for name in fragile),
        "finished_twice": sum(done[key] > 1 for key in before),
        "lost": sum(not done[name, instance, "start"] for name, instance in resumable.items()),
    }


def start(cluster: Cluster, workshop: Workshop, half: int) -> tuple[dict[str, str], dict[str, str]]:
    """Start ``half`` executions of each kind; their ids, with the instance that each works on."""
    instances: list[tuple[str, str]] = []
    workshop.deploy("w0", min(PIECES, half))
    for number in range(-(-half // PIECES)):
        name = f"w{number}"
        found = workshop.instances(name) if number == 0 else workshop.again(name, "w0")
        instances += [(name, instance) for instance in found]
    del instances[half:]
    print(f"{len(instances)} instances in {number + 1} deployments are there", flush=True)

    def begin(place: tuple[str, str], workflow: str, parameters: dict[str, Any]) -> tuple[str, str]:
        own = Workshop(workshop.ledger.parent, _client(cluster))
        options = {"parameters": parameters, "allow_custom_parameters": True, "force": True}
        return own.start(place[0], workflow, **options), place[1]

    with ThreadPoolExecutor(STARTERS) as pool:
        installs = pool.map(
            lambda place: begin(place, "install", {"node_instance_ids": [place[1]]}), instances
        )
        heals = pool.map(lambda place: begin(place, "heal", {"node_instance_id": place[1]}), instances)
        return dict(installs), dict(heals)


def wait_until_all_wait(workshop: Workshop, count: int) -> None:
    """Each execution has finished its first operation, and has tried the second."""
    told_s = 0.0
    deadline_s = time.monotonic() + END_TIMEOUT_S
    while (waiting := len({e.execution for e in workshop.entries() if e.word == "waits"})) < count:
        if time.monotonic() > deadline_s:
            raise Unfinished(f"only {waiting} of {count} executions wait")
        if time.monotonic() > told_s + TOLD_EVERY_S:
            print(f"{waiting} of {count} wait", flush=True)
            told_s = time.monotonic()
        time.sleep(LOOK_EVERY_S)


def finished_operations(entries: Sequence[Entry]) -> set[tuple[str, str, str]]:
    """Operations whose execution has gone on to the next one: they were finished, and that was stored."""
    went_on = {(e.execution, e.instance) for e in entries if e.word == "waits"}
    return {(*key, "create") for key in went_on}


def wait_until_settled(cluster: Cluster, resumable: set[str], fragile: set[str]) -> float:
    """Until the new leader has resumed or failed all of them; when that was seen (monotonic)."""

    def settled() -> float | None:
        resumed = {item["execution_id"] for item in _items(cluster, "/events", event_type="workflow_resumed")}
        failed = {item["id"] for item in _items(cluster, "/executions", status="failed")}
        return time.monotonic() if resumable <= resumed and fragile <= failed else None

    return cluster.wait(settled, END_TIMEOUT_S, "not all were resumed or have failed")


def wait_until_ended(cluster: Cluster, executions: Sequence[str]) -> dict[str, str]:
    """The last status of each."""

    def ended() -> dict[str, str] | None:
        found = {item["id"]: item["status"] for item in _items(cluster, "/executions")}
        over = all(found[name] in {"terminated", "failed", "cancelled"} for name in executions)
        return found if over else None

    return cluster.wait(ended, END_TIMEOUT_S, "not all have ended")


def _items(cluster: Cluster, path: str, **query: str) -> Iterator[dict[str, Any]]:
    yield from _client(cluster).items(path, **query)


def _client(cluster: Cluster) -> Any:
    return cluster.client(read_timeout_s=READ_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
