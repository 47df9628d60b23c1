"""Plays scenarios one after the other, on one cluster as long as nothing is wrong, and judges each."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.cluster import Cluster
from orchestrator.model.errors import ClusterError
from tests.chaos import house, judge, record
from tests.chaos.runner import Player, Tell
from tests.chaos.scenario import Scenario
from tests.chaos.workload import Workload
from tests.chaos.world import World

MODE, ACTIVE = "minority_mode", "active"
WHOLE_S = 180.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to play: node options, for how long at most (None: to the end), and which rule is left out."""

    options: Mapping[str, str]
    within_s: float | None
    mutation: str = ""


def play_all(scenarios: Sequence[Scenario], plan: Plan, tell: Tell) -> int:
    """Play them; how many promises were broken."""
    waiting, wrong = list(scenarios), 0
    if house.sweep():
        tell("what an earlier run had left is removed")
    while waiting:
        hosts = waiting[0].hosts
        tell(f"{hosts} hosts form a cluster")
        with house.formed(hosts, plan.options, record.OUT / "logs" / "last", plan.mutation) as cluster:
            broken = 0
            while waiting and waiting[0].hosts == hosts and not broken:
                broken = _play(cluster, waiting.pop(0), plan, tell)
                wrong += broken
    return wrong


def _play(cluster: Cluster, wanted: Scenario, plan: Plan, tell: Tell) -> int:
    """Play one; how much was wrong."""
    world = World(cluster)
    tell(f"{wanted.name} begins")
    try:
        told = {**_under_load(world, wanted, plan, tell), "mutation": plan.mutation}
    finally:
        world.bed.keep_logs(record.OUT / "logs" / wanted.name)
    _sum_up(told, record.write(told), tell)
    return len(told["wrong"])


def _under_load(world: World, wanted: Scenario, plan: Plan, tell: Tell) -> dict[str, Any]:
    world.cluster.wait_until_whole(WHOLE_S)
    with Workload(world, house.ROOT, deep=plan.options[MODE] != ACTIVE) as workload:
        player = Player(world, workload, tell)
        if not workload.flows():
            raise ClusterError(
                f"nobody can write before the first fault: {workload.client.journal.complaint}"
            )
        player.play(wanted, None if plan.within_s is None else time.monotonic() + plan.within_s)
        workload.witness.remember()
    tell("the clients have stopped; what they were promised is compared with what is there")
    wrong = judge.verdict(world, workload, player.played.faults)
    return record.of(wanted, workload, player.played, wrong)


def _sum_up(told: Mapping[str, Any], path: Path, tell: Tell) -> None:
    acknowledged = sum(client["acknowledged"] for client in told["clients"])
    counts = {"faults": len(told["faults"]), "acknowledged": acknowledged, "reads": told["reads"]}
    tell(", ".join(f"{count} {what}" for what, count in {**counts, "terms": len(told["terms"])}.items()))
    for each in told["wrong"]:
        tell(f"WRONG: {each}")
    tell(f"{'BROKEN' if told['wrong'] else 'kept'}: {os.path.relpath(path)}")
