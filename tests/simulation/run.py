"""Lives through random histories, as long as you like: ``python -m tests.simulation.run --steps 1000000``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.faults import Climate
from tests.simulation.histories import STEPS, Outcome, run_history


def main() -> int:
    """Run histories one after the other; 1 when an invariant was broken."""
    arguments = _arguments()
    began_s, steps, terms, writes, seed, bad = time.perf_counter(), 0, 0, 0, arguments.seed, 0
    while steps < arguments.steps:
        outcome = run_history(seed, arguments.history, _climate(arguments))
        steps, terms, writes = steps + outcome.steps, terms + outcome.terms, writes + outcome.writes
        if outcome.violation:
            bad += 1
            _complain(outcome, arguments)
            if bad >= arguments.violations:
                break
        seed += 1
    spent_s = time.perf_counter() - began_s
    print(
        f"{steps} steps in {seed - arguments.seed} histories: {terms} terms, {writes} acknowledged writes, "
        f"{bad} violations; {steps / spent_s:.0f} steps/s"
    )
    return 1 if bad else 0


def _climate(arguments: argparse.Namespace) -> Climate:
    return Climate(files=arguments.files, consul=arguments.consul, minority=arguments.minority)


def _complain(outcome: Outcome, arguments: argparse.Namespace) -> None:
    if not arguments.quiet:
        print(outcome.story)
    print(f"seed {outcome.seed}, step {outcome.steps}: {outcome.violation}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="at least so many steps")
    parser.add_argument("--seed", type=int, default=1, help="the first history's seed; the next ones follow")
    parser.add_argument("--history", type=int, default=STEPS, help="steps of trouble in each history")
    parser.add_argument("--violations", type=int, default=1, help="stop after so many violations")
    parser.add_argument("--files", action="store_true", help="files are uploaded as well")
    parser.add_argument("--consul", action="store_true", help="Consul is gone now and then as well")
    parser.add_argument(
        "--minority",
        default="",
        choices=("most_recent", "majority"),
        help="nodes that are cut off take writes alone, and heal by this policy",
    )
    parser.add_argument("--quiet", action="store_true", help="do not tell the stories")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
