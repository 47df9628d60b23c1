"""``python -m tests.cluster.bed up 3``, ``exec n1 ...``, ``cut n1``, ``down``: a bed for people."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import FrameType

import click

from orchestrator.model.errors import ClusterError
from tests.cluster.bed import Bed, Node, cache, image, wheelhouse
from tests.cluster.bed import bed as beds
from tests.cluster.bed.network import MOST_NODES

INTERRUPTED = 130
POWERS = {
    "cut": (Node.cut, "Pull the node's cable."),
    "heal": (Node.heal, "Put the node's cable in again."),
    "power": (Node.power, "Pull the node's plug: the cable goes dead, and everything at once."),
    "kill": (Node.kill, "Kill everything in the node at once; its kernel goes on refusing connections."),
    "start": (Node.start, "Switch the node on, plugged in, and wait until it has booted."),
    "stop": (Node.stop, "Shut the node down in an orderly way."),
    "reboot": (Node.reboot, "Have the node reboot, and wait until it is back."),
    "freeze": (Node.freeze, "Stop everything in the node where it stands."),
    "thaw": (Node.thaw, "Let a frozen node go on."),
}
"""What happens to one node, by name."""

WORDS = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""A command's own options are not ours."""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.group()
@click.option("--name", default="bed", show_default=True, help="Which bed; there may be several.")
@click.pass_context
def main(context: click.Context, name: str) -> None:
    """Machines with a real systemd on this machine: containers on one switch, and what can happen to them."""
    context.obj = name
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


@main.command()
@click.argument("nodes", type=click.IntRange(1, MOST_NODES), default=3)
@click.pass_obj
def up(name: str, nodes: int) -> None:
    """Make a bed of NODES machines (3 unless told otherwise), and wait until they have booted."""
    for node in Bed.up(name, [f"n{number}" for number in range(1, nodes + 1)]):
        click.echo(f"{node.name} {node.address} {node.state()}")


@main.command()
@click.option("--all", "every", is_flag=True, help="Every bed, also those that tests have left.")
@click.pass_obj
def down(name: str, *, every: bool) -> None:
    """End everything and remove it. Does nothing when there is nothing."""
    for each in beds.names() if every else [name]:
        beds.down(each)
    if left := beds.names():
        click.echo(f"Other beds are still there: {', '.join(left)} (down --all takes them down, too).")


@main.command()
@click.pass_obj
def status(name: str) -> None:
    """The nodes, with their addresses, and how they are."""
    for node in Bed.load(name):
        click.echo(f"{node.name} {node.address} {node.state()}")


@main.command("exec", context_settings=WORDS)
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(name: str, node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND as root in NODE, and end as it does."""
    sys.exit(subprocess.run(Bed.load(name)[node].called(*command), check=False).returncode)


@main.command(context_settings=WORDS)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def client(name: str, command: tuple[str, ...]) -> None:
    """Run COMMAND of this machine where the switch is, beside the nodes, and end as it does."""
    sys.exit(subprocess.run(Bed.load(name).network.inside(*command), check=False).returncode)


@main.command("one-way")
@click.argument("source")
@click.argument("target")
@click.pass_obj
def one_way(name: str, source: str, target: str) -> None:
    """Lose every frame from SOURCE to TARGET."""
    Bed.load(name).one_way(source, target)


@main.command("two-way")
@click.argument("one")
@click.argument("other")
@click.pass_obj
def two_way(name: str, one: str, other: str) -> None:
    """Lose every frame between ONE and OTHER."""
    Bed.load(name).two_way(one, other)


@main.command()
@click.argument("source")
@click.argument("target")
@click.argument("percent", type=click.IntRange(1, 100))
@click.pass_obj
def loss(name: str, source: str, target: str, percent: int) -> None:
    """Lose PERCENT of the frames from SOURCE to TARGET."""
    Bed.load(name).loss(source, target, percent)


@main.command("heal-all")
@click.pass_obj
def heal_all(name: str) -> None:
    """Put every cable in again, and lose no more frames."""
    Bed.load(name).heal_all()


@main.command()
@click.argument("node")
@click.argument("folder", default="/opt/cloudify")
@click.pass_obj
def install(name: str, node: str, folder: str) -> None:
    """Put the project, as it is now, into a virtual environment in FOLDER of NODE."""
    Bed.load(name)[node].install_python(folder)


@main.command()
def prepare() -> None:
    """Make what is made once: the image of a node, and the project's wheels. Prints where they are."""
    for folder in (image.built(), *wheelhouse.folders()):
        click.echo(folder)


@main.command()
def clean() -> None:
    """Remove what is made once, so that it is made anew."""
    if left := beds.names():
        raise click.ClickException(f"these beds stand on it: {', '.join(left)}")
    cache.clear()


def _add(word: str) -> None:
    action, help_text = POWERS[word]

    @main.command(word, help=help_text)
    @click.argument("node")
    @click.pass_obj
    def command(name: str, node: str) -> None:
        action(Bed.load(name)[node])


for each_word in POWERS:
    _add(each_word)


def run() -> int:
    """The program, with its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except (ClusterError, OSError, subprocess.SubprocessError) as error:
        click.echo(f"bed: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
