"""Faults at random, one after the other and one on top of the other; when they end, all is well.

A seed gives the same faults in the same order again; what the nodes make of them is their own affair.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping

import pytest

from demo.node import Node
from orchestrator.model.errors import ClusterError
from tests.cluster import nemesis
from tests.cluster.house import WHOLE_S, House
from tests.cluster.traffic import Traffic

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("ROUNDS", "12"))
SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "1 2").split()]
LONGEST_S = 8.0
OVERLAP = 0.35
"""How often the next fault comes before the cluster has recovered from the last one."""


def kill_something(node: Node, chance: random.Random) -> None:
    name = chance.choice([*nemesis.PROGRAMS, *nemesis.WORKERS])
    if nemesis.find(node, name):
        nemesis.kill(node, name)


FAULTS: Mapping[str, Callable[[Node, random.Random], None]] = {
    "a process is killed": kill_something,
    "all processes but Consul are killed": lambda node, _: node.kill(include_consul=False),
    "the host dies": lambda node, _: node.kill(),
    "the host hangs": lambda node, _: node.freeze(),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_random_faults(house: House, traffic: Traffic, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(ROUNDS):
        node = chance.choice(house.bed.nodes)
        name = chance.choice(sorted(FAULTS))
        print(f"{time.strftime('%H:%M:%S')} {number}: {node.name}: {name}")  # noqa: T201  Shown on failure.
        strike(node, name, chance)
        until_s = time.monotonic() + chance.uniform(0, LONGEST_S)
        traffic.until(lambda until_s=until_s: time.monotonic() >= until_s, "time passes", 2 * LONGEST_S)
        if chance.random() > OVERLAP:
            recover(house)
            traffic.flows()
    recover(house)
    traffic.flows()
    traffic.was_kept()


def strike(node: Node, name: str, chance: random.Random) -> None:
    try:
        FAULTS[name](node, chance)
    except ClusterError as error:
        print(f"  not possible: {error}")  # noqa: T201


def recover(house: House) -> None:
    for node in house.bed:
        node.thaw()
        node.start()
    house.cluster.wait_until_whole(WHOLE_S)
