"""Looks for histories in which a mutation shows: ``python -m tests.simulation.mutation_run [--only NAME]``."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from unittest import mock

from tests.simulation.histories import Outcome, run_history
from tests.simulation.mutations import MUTATIONS, Mutation


def look_for(mutated: Mutation, seed: int, most_steps: int) -> tuple[Outcome | None, int]:
    """The first history from ``seed`` on in which the mutation shows, and after how many steps in all."""
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
        mutated.apply(lambda owner, name, value: stack.enter_context(mock.patch.object(owner, name, value)))
        return run_history(seed, stale_reads=mutated.stale_reads)


def main() -> int:
    """Print a table: what catches each mutation, after how many steps, and in which history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(MUTATIONS))
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--from-seed", type=int)
    arguments = parser.parse_args()
    missed = 0
    for name, mutated in MUTATIONS.items():
        if arguments.only in (None, name):
            seed = mutated.seed if arguments.from_seed is None else arguments.from_seed
            outcome, steps = look_for(mutated, seed, arguments.steps)
            missed += outcome is None
            found = f"seed {outcome.seed}: {outcome.violation}" if outcome else "NOT NOTICED"
            print(f"{name:36} {steps:8} steps  {found}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
