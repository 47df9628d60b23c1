"""Random histories: a cluster, and everything that can happen to it, in an order that a seed decides."""

from __future__ import annotations

import random
from dataclasses import dataclass

from orchestrator.model.spec import Options
from tests.simulation.cluster import SAFE, SimCluster
from tests.simulation.faults import Climate, Faults
from tests.simulation.harness import world
from tests.simulation.invariants import Violation
from tests.simulation.liveness import mend_and_wait
from tests.simulation.story import tell

STEPS = 2500
"""How long trouble lasts in one history. Many short ones see more than few long ones."""

ANY = Climate()

SIZES = (1, 2, 3, 3, 3, 4, 5, 5)


@dataclass(frozen=True)
class Outcome:
    """How one history went. ``violation`` is None when all was well."""

    seed: int
    steps: int
    terms: int
    writes: int
    violation: str | None = None
    story: str = ""


def run_history(seed: int, steps: int = STEPS, climate: Climate = ANY) -> Outcome:
    """Live through one history. At its end the cluster must recover."""
    size = climate.size or random.Random(seed).choice(SIZES)
    with world(size, seed, with_files=climate.files, options=_options(climate)) as cluster:
        violation = None
        try:
            _trouble(cluster, steps, climate)
            mend_and_wait(cluster)
        except Violation as found:
            violation = str(found)
        return Outcome(
            seed,
            cluster.schedule.steps,
            cluster.consul.lease.term,
            len(cluster.invariants.writes),
            violation,
            tell(cluster) if violation else "",
        )


def _options(climate: Climate) -> Options:
    return Options(minority_mode="active", heal_policy=climate.minority) if climate.minority else SAFE


def _trouble(cluster: SimCluster, steps: int, climate: Climate) -> None:
    cluster.faults = Faults(cluster, climate)
    cluster.faults.begin()
    while cluster.schedule.steps < steps and cluster.schedule.run_one():
        cluster.invariants.check()
