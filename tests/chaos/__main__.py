"""``python -m tests.chaos run --seed 1 --minutes 30``, ``run --scenario NAME``, ``list``, ``down``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

from orchestrator.model.errors import ClusterError
from tests.chaos import house, judge, mutated, record, scenario, schedule
from tests.chaos.faults import FAULTS, NOT_HERE
from tests.chaos.runner import Player
from tests.chaos.scenario import Scenario
from tests.chaos.workload import Workload
from tests.chaos.world import World

INTERRUPTED = 130
WHOLE_S = 180.0
MODE, ACTIVE = "minority_mode", "active"


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
@click.option("--minority-mode", type=click.Choice([ACTIVE, "read_only", "offline"]), default="offline")
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
    until_s = None if names else minutes * 60
    # By `most_recent` what a majority acknowledged may be given up, which is not what is judged here.
    options, wrong = {MODE: minority_mode, "heal_policy": "majority"}, 0
    for each in scenarios:
        click.echo(each.text)
        wrong += 0 if dry else _play(each, until_s, options, mutation or "")
    if mutation and not dry:
        say(f"{mutation} was {'noticed' if wrong else 'NOT NOTICED'}")
    sys.exit(1 if bool(wrong) != bool(mutation) else 0)


def _play(wanted: Scenario, within_s: float | None, options: dict[str, str], mutation: str) -> int:
    """Play one on a cluster of its own; how much was wrong."""
    with house.alone():
        if house.sweep():
            say("what an earlier run had left is removed")
        say(f"{wanted.name}: {wanted.hosts} hosts form a cluster")
        with house.formed(wanted.hosts, options, record.OUT / "logs" / wanted.name, mutation) as cluster:
            deep = options[MODE] != ACTIVE
            told = _under_load(World(cluster), wanted, within_s, deep=deep)
    path = record.write(told | {"mutation": mutation})
    _sum_up(told, path)
    return len(told["wrong"])


def _under_load(world: World, wanted: Scenario, within_s: float | None, *, deep: bool) -> dict[str, Any]:
    world.cluster.wait_until_whole(WHOLE_S)
    with Workload(world, house.ROOT, deep=deep) as workload:
        player = Player(world, workload, say)
        if not workload.flows():
            raise ClusterError(
                f"nobody can write before the first fault: {workload.client.journal.complaint}"
            )
        player.play(wanted, None if within_s is None else time.monotonic() + within_s)
        workload.witness.remember()
    say("the clients have stopped; what they were promised is compared with what is there")
    wrong = judge.verdict(world, workload, player.played.faults)
    return record.of(wanted, workload, player.played, wrong)


def _sum_up(told: dict[str, Any], path: Path) -> None:
    acknowledged = sum(client["acknowledged"] for client in told["clients"])
    counts = {"faults": len(told["faults"]), "acknowledged": acknowledged, "reads": told["reads"]}
    say(", ".join(f"{count} {what}" for what, count in {**counts, "terms": len(told["terms"])}.items()))
    for each in told["wrong"]:
        say(f"WRONG: {each}")
    say(f"{'BROKEN' if told['wrong'] else 'kept'}: {os.path.relpath(path)}")


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
