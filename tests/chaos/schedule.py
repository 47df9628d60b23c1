"""A mix of faults at random. The same seed gives the same text, which is a scenario like any other."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.chaos.scenario import Scenario, parse

SHORTEST_S, LONGEST_S = 3.0, 9.0
OVERLAP = 0.25
"""How often a second fault comes while the first is in force."""

AFTER_S = 1.0
ROUND_S = 8.0
"""Less than a round takes in fact: a schedule has to be long enough for its minutes."""

PROGRAMS = (
    "check-runner", "consul", "consul-watcher", "handler-runner", "lease-guard", "postgresql", "redis",
    "restservice", "sshd", "supervisord", "worker of health", "worker of cluster",
)  # fmt: skip

Chance = random.Random


def _host(chance: Chance) -> str:
    return chance.choice(["leader", "leader", "leader", "replica", "other", "consul-leader"])


def _program(chance: Chance) -> str:
    return chance.choice(PROGRAMS)


MIX: dict[Callable[[Chance], str], int] = {
    lambda c: f"kill {_program(c)} of {_host(c)}": 6,
    lambda c: f"kill host {_host(c)}": 3,
    lambda c: f"power off {_host(c)}": 3,
    lambda c: f"kill all but consul of {_host(c)}": 2,
    lambda c: f"freeze host {_host(c)}": 3,
    lambda c: f"freeze {_program(c)} of {_host(c)}": 3,
    lambda c: f"cut {_host(c)} from all": 3,
    lambda c: f"cut {_host(c)} from others": 3,
    lambda c: f"cut leader from {c.choice(['replica', 'other'])}": 2,
    lambda c: "cut replica from other": 1,
    lambda c: f"lose all from {_host(c)} to others": 2,
    lambda c: f"lose {c.choice([10, 30, 60])}% around {_host(c)}": 2,
    lambda c: f"flap the link of {_host(c)}": 2,
    lambda c: f"slow the link of {_host(c)}": 1,
    lambda c: "kill the dns of all": 1,
    lambda c: f"stop {c.choice(['sshd', 'redis', 'consul', 'restservice'])} of {_host(c)}": 2,
    lambda c: f"restart consul of {c.choice(['all', 'replicas', 'consul-leader'])}": 2,
    lambda c: "restart consul one by one": 1,
    lambda c: "busy cores": 1,
    lambda c: f"fill the disk of {_host(c)}": 2,
    lambda c: f"hang the disk of {_host(c)}": 2,
    lambda c: f"slow the disk of {_host(c)}": 1,
    lambda c: f"crash the database of {_host(c)}": 2,
    lambda c: "spoil the database of replica": 1,
    lambda c: "lose the database of other": 1,
    lambda c: "lose the disk of replica": 1,
    lambda c: "freeze all but the database of leader": 2,
    lambda c: f"hold what {c.choice(['replica', 'other'])} receives": 1,
    lambda c: f"let the certificates of {_host(c)} expire": 1,
    lambda c: f"fill the redis of {_host(c)}": 1,
    lambda c: "fill the broker of leader": 1,
    lambda c: f"hand over to {c.choice(['replica', 'other'])}": 2,
}
"""What can come, and how often. The leader is concerned half of the time."""


def mix(seed: int, minutes: float, hosts: int = 3) -> Scenario:
    """A scenario for that many minutes; a run that is slower ends before the scenario does."""
    chance = random.Random(seed)
    lines, now_s = [f"# Faults at random, by the seed {seed}.", f"hosts {hosts}"], 0.0
    for _ in range(max(1, round(minutes * 60 / ROUND_S))):
        lines.append(f"at {now_s:.1f}s {_fault(chance)}")
        if chance.random() < OVERLAP:
            now_s += chance.uniform(0.2, SHORTEST_S)
            lines.append(f"at {now_s:.1f}s {_fault(chance)}")
        now_s += chance.uniform(SHORTEST_S, LONGEST_S)
        lines += [f"at {now_s:.1f}s heal", f"at {now_s:.1f}s whole"]
        now_s += AFTER_S
    return parse(f"seed-{seed}", "\n".join(lines))


def _fault(chance: Chance) -> str:
    [make] = chance.choices(list(MIX), list(MIX.values()))
    return make(chance)
