"""``cfy_agent``: configures, starts, stops and looks at the agent on this machine."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from agent import __version__, daemon
from agent.settings import Busy, Folder, NotConfigured, Settings, write_file
from agent.validate import validated

FAILED = 1
PROGRAMS = Path(__file__).resolve().parents[2] / "bin"
"""Where the manager has put our programs, if it has carried us here."""


@click.group()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CFY_AGENT_FOLDER",
    default=lambda: Path.home() / "cfy_agent",
    show_default="~/cfy_agent",
    help="Where the agent keeps what it knows.",
)
@click.version_option(__version__)
@click.pass_context
def group(context: click.Context, folder: Path) -> None:
    """The agent of a Cloudify manager on this machine."""
    context.obj = Folder(folder.resolve())


@group.command()
@click.option("--name", required=True, help="The agent's name: the id of its machine's node instance.")
@click.option("--manager", "members", multiple=True, required=True, metavar="IP", help="A member; repeat it.")
@click.option(
    "--ca", type=click.Path(exists=True, path_type=Path), required=True, help="The managers' internal CA."
)
@click.option(
    "--broker-password",
    envvar="CFY_AGENT_BROKER_PASSWORD",
    prompt=True,
    hide_input=True,
    help="The password of the managers' broker; better given in CFY_AGENT_BROKER_PASSWORD.",
)
@click.option("--broker-port", type=int, help="Of all members.")
@click.option("--rest-port", type=int, help="Of all members.")
@click.option("--rest-protocol", type=click.Choice(["http", "https"]), help="Of all members.")
@click.option("--token", envvar="CFY_AGENT_TOKEN", help="A user's token, for `validate`.")
@click.option("--max-workers", type=int, help="So many operations run at a time.")
@click.option("--detached", is_flag=True, help="Do not make it a service of systemd.")
@click.pass_obj
def configure(folder: Folder, /, name: str, members: tuple[str, ...], ca: Path, **more: Any) -> None:
    """Write the agent's settings. An agent that runs takes most of them when it is started again."""
    given = {key: value for key, value in more.items() if value is not None}
    try:
        folder.store(Settings(name=name, members=members, **given))
    except ValidationError as error:
        raise click.ClickException(f"These settings are wrong: {error}") from error
    write_file(folder.ca_file, ca.read_text())
    click.echo(f"The agent {name} is configured in {folder.path}.")


@group.command()
@click.pass_obj
def start(folder: Folder) -> None:
    """Start the agent in the background."""
    daemon.start(folder)
    click.echo("The agent runs.")


@group.command()
@click.pass_obj
def stop(folder: Folder) -> None:
    """Stop the agent. What it runs at the moment ends with it."""
    daemon.stop(folder)
    click.echo("The agent is stopped.")


@group.command()
@click.pass_obj
def status(folder: Folder) -> None:
    """Whether it runs, and whom it follows. The exit code is 1 when it does not run."""
    settings, pid = folder.settings(), daemon.running(folder)
    told = {
        "name": settings.name,
        "running": pid is not None,
        "pid": pid,
        "active": folder.active,
        "members": list(settings.members),
        "version": __version__,
    }
    click.echo(json.dumps(told, indent=1))
    if pid is None:
        sys.exit(FAILED)


@group.command()
@click.pass_obj
def run(folder: Folder) -> None:
    """Be the agent, in the foreground."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s.%(msecs)03d %(levelname)-7s %(process)d %(name)s: %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    os.umask(0o077)
    if PROGRAMS.is_dir():
        # Scripts find the command ``ctx`` there.
        os.environ["PATH"] = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    from agent.worker import run_agent  # noqa: PLC0415  # the other commands need no Celery

    sys.exit(run_agent(folder))


@group.command()
@click.pass_obj
def validate(folder: Folder) -> None:
    """Look whether a leader can be reached, by its broker and by its REST service."""
    told = validated(folder)
    click.echo(json.dumps(told, indent=1))
    if not told["broker"]["ok"] or not told["rest"]["ok"]:
        sys.exit(FAILED)


def main() -> None:
    """The program."""
    try:
        group(prog_name="cfy_agent")
    except (NotConfigured, Busy, daemon.DaemonFailed) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
