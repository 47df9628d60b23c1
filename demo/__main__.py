"""``python -m demo up``, ``down`` and ``status``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click

from demo import life
from demo.teller import Teller
from orchestrator.model.errors import ClusterError

ROOT = Path(__file__).resolve().parents[1] / ".demo"
INTERRUPTED = 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.group()
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT,
    help="Where the demo keeps what it makes. Default: .demo in the project.",
)
@click.pass_context
def main(context: click.Context, root: Path) -> None:
    """Real managers on this machine: a cluster of them, and the failure of its leader."""
    context.obj = root.resolve()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


@main.command()
@click.option("--nodes", type=click.IntRange(1, 9), default=3, show_default=True, help="How many managers.")
@click.option("--no-failover", is_flag=True, help="Form the cluster, and leave it in peace.")
@click.option("--no-cluster", is_flag=True, help="Start the managers, each alone.")
@click.pass_obj
def up(root: Path, nodes: int, *, no_failover: bool, no_cluster: bool) -> None:
    """Start managers, form a cluster, kill its leader, and leave it running."""
    life.up(root, nodes, cluster=not no_cluster, failover=not no_failover, teller=Teller())


@main.command()
@click.pass_obj
def down(root: Path) -> None:
    """End everything and remove it. Does nothing when there is nothing."""
    life.down(root, Teller())


@main.command()
@click.pass_obj
def status(root: Path) -> None:
    """What of the demo runs."""
    sys.exit(0 if life.status(root, Teller()) else 1)


def run() -> int:
    """The program, with its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        Teller().fail("Interrupted.")
        return INTERRUPTED
    except (ClusterError, OSError) as error:
        Teller().fail(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
