"""``python -m tests.chaos run --seed 1 --minutes 30``, ``run --scenario NAME``, ``list``, ``down``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

import click

from orchestrator.model.errors import ClusterError
from tests.chaos import house, mutated, scenario, schedule, sitting
from tests.chaos.faults import FAULTS, NOT_HERE

INTERRUPTED = 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def say(text: str) -> None:
    """One line, with the time."""
    click.echo(f"{time.strftime('%H:%M:%S')} {text}")


@click.group()
def main() -> None:
    """A cluster of separate hosts, everything that can happen to it, and whether it kept its promises."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


@main.command()
@click.option(
    "--scenario", "names", multiple=True, help="One or more by name, or a file; 'all': each of them."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which mix of faults.")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="For how long to mix.")
@click.option("--hosts", type=click.IntRange(3, 5), default=3, show_default=True, help="For a mix.")
@click.option(
    "--minority-mode", type=click.Choice([sitting.ACTIVE, "read_only", "offline"]), default="offline"
)
@click.option(
    "--mutation", type=click.Choice(list(mutated.DANGEROUS)), help="Leave out a rule: it has to show."
)
@click.option("--dry", is_flag=True, help="Print the schedule only.")
def run(
    names: Sequence[str],
    seed: int,
    minutes: float,
    hosts: int,
    minority_mode: str,
    mutation: str | None,
    *,
    dry: bool,
) -> None:
    """Play scenarios, or a mix by seed, and judge.

    Ends with 1 when a promise was broken; with --mutation, when none was.
    """
    if mutation and not names:
        names = (mutated.DANGEROUS[mutation].scenario,)
    wanted = scenario.names() if names == ("all",) else names
    scenarios = [scenario.read(name) for name in wanted] or [schedule.mix(seed, minutes, hosts)]
    for each in scenarios:
        click.echo(each.text)
    if dry:
        return
    # By `most_recent` what a majority acknowledged may be given up, which is not what is judged here.
    options = {sitting.MODE: minority_mode, "heal_policy": "majority"}
    plan = sitting.Plan(options, None if names else minutes * 60, mutation or "")
    with house.alone():
        wrong = sitting.play_all(scenarios, plan, say)
    if mutation:
        say(f"{mutation} was {'noticed' if wrong else 'NOT NOTICED'}")
    sys.exit(1 if bool(wrong) != bool(mutation) else 0)


@main.command("list")
def list_all() -> None:
    """The scenarios, and all that can happen in one."""
    for name in scenario.names():
        click.echo(f"{name:28} {scenario.read(name).shows.splitlines()[0]}")
    click.echo()
    for fault in FAULTS.values():
        click.echo(f"{fault.words:42} {fault.tells}")
    for name, why in NOT_HERE.items():
        click.echo(f"\nnot here: {name}. {why}")


@main.command()
def down() -> None:
    """Remove what a run has left that was killed."""
    with house.alone():
        say("removed" if house.sweep() else "there was nothing")


def _main() -> int:
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except (ClusterError, OSError, subprocess.SubprocessError) as error:
        click.echo(f"chaos: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
