"""What catches each mutation, and when: ``python -m tests.simulation.mutation_run [--only NAME]``."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from unittest import mock

from tests.simulation.harness import world
from tests.simulation.histories import Outcome, run_history
from tests.simulation.invariants import Violation
from tests.simulation.mutations import MUTATIONS, Mutation, Swap


def look_for(mutated: Mutation, seed: int, most_steps: int) -> tuple[Outcome | None, int]:
    """The first history from ``seed`` on in which the mutation shows, and after how many steps in all."""
    if mutated.story is not None:
        outcome = play(mutated)
        return (outcome if outcome.violation else None), outcome.steps
    steps = 0
    while steps < most_steps:
        outcome = run_mutated(mutated, seed)
        steps, seed = steps + outcome.steps, seed + 1
        if outcome.violation is not None:
            return outcome, steps
    return None, steps


def run_mutated(mutated: Mutation, seed: int) -> Outcome:
    """One history with one rule less."""
    with ExitStack() as stack:
        mutated.apply(_swap_in(stack))
        return run_history(seed, climate=mutated.climate)


def _swap_in(stack: ExitStack) -> Swap:
    return lambda owner, name, value: stack.enter_context(mock.patch.object(owner, name, value))


def play(mutated: Mutation, *, with_it: bool = True) -> Outcome:
    """The mutation's own story, with or without the mutation."""
    assert mutated.story is not None
    violation = None
    with ExitStack() as stack, world(3, None, with_files=mutated.climate.files) as cluster:
        if with_it:
            mutated.apply(_swap_in(stack))
        try:
            mutated.story(cluster)
        except Violation as found:
            violation = str(found)
        return Outcome(0, cluster.schedule.steps, cluster.consul.lease.term, 0, violation)


def main() -> int:
    """Print a table; 1 when one was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(MUTATIONS))
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, help="where to begin, instead of each one's own")
    arguments = parser.parse_args()
    missed = 0
    for name, mutated in MUTATIONS.items():
        if arguments.only in (None, name):
            seed = mutated.seed if arguments.seed is None else arguments.seed
            outcome, steps = look_for(mutated, seed, arguments.steps)
            missed += outcome is None
            found = f"seed {outcome.seed}: {outcome.violation}" if outcome else "NOT NOTICED"
            print(f"{name:36} {steps:8} steps  {found}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
