"""``cfy_manager install``, ``configure``, ``remove``, ``start``, ``stop``, ``restart``."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cli.command import Command
from cli.errors import CliError
from cli.machine.node import Node, pass_node
from cli.options import IpAddress

PASSWORD_VARIABLE = "CLOUDIFY_ADMIN_PASSWORD"  # noqa: S105 -- The name of a variable.


def _settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for value, (key, separator, _) in zip(values, pairs, strict=True):
        if not separator or not key:
            raise click.BadParameter(f"{value!r} is not of the form SECTION.KEY=VALUE.", ctx, param)
    return {key: text for key, _, text in pairs}


def _node_settings(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say how the node is to be configured."""
    options = (
        click.option("--host-ip", type=IpAddress(), metavar="IP", help="Its address among the members."),
        click.option("--public-ip", metavar="ADDRESS", help="Where clients reach it, if that is elsewhere."),
        click.option("--rest-port", type=click.IntRange(1, 65535), metavar="PORT", help="Of the REST API."),
        click.option(
            "--from",
            "given",
            type=click.Path(exists=True, dir_okay=False, resolve_path=True),
            metavar="FILE",
            help="A configuration file to begin with, in place of the one that is there.",
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            callback=_settings,
            metavar="SECTION.KEY=VALUE",
            help="Any other setting; see the reference of the configuration.",
        ),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), function)


def _wishes(
    host_ip: str | None,
    public_ip: str | None,
    rest_port: int | None,
    given: str | None,
    settings: Mapping[str, str],
) -> dict[str, Any]:
    named = {"host_ip": host_ip, "public_ip": public_ip, "ports.rest": rest_port}
    wishes = {**settings, **{key: str(value) for key, value in named.items() if value is not None}}
    return {"given": given, "settings": wishes, "unset": [], "admin_password": None}


@click.command("install", cls=Command)
@_node_settings
@pass_node
def install(node: Node, /, **settings: Any) -> None:
    """Make a manager of this machine.

    That is a user, folders, a database and units of systemd, which are started. It checks first, says all
    that is missing at once, and changes nothing then. It can be run again: what is there is kept, and what is
    asked for anew is changed, as cfy_manager configure does. Without --host-ip the address of the default
    route is taken. The administrator's password is taken from CLOUDIFY_ADMIN_PASSWORD; without it, a new one
    is shown once.
    """
    carry_out(node, "install", {**_wishes(**settings), "admin_password": os.environ.get(PASSWORD_VARIABLE)})


@click.command("configure", cls=Command)
@_node_settings
@click.option("--unset", multiple=True, metavar="SECTION.KEY", help="Back to the default; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Check, and tell what would change; change nothing.")
@click.option("--restart/--no-restart", default=True, help="Restart what needs it (default), or do it later.")
@pass_node
def configure(node: Node, /, unset: tuple[str, ...], dry_run: bool, restart: bool, **settings: Any) -> None:
    """Change the settings of the manager on this machine.

    It checks first, says everything that is wrong at once, and changes nothing then. It tells what changes,
    and restarts only the services that read it; on a leader none that could cost it the lead. What cannot be
    changed while the node belongs to a cluster, its address for instance, is refused with what to do
    instead. What is as it is wanted is left alone, and a run that was interrupted is finished by the next.
    """
    wishes = {**_wishes(**settings), "unset": list(unset), "dry_run": dry_run, "restart": restart}
    carry_out(node, "configure", wishes)


@click.command("remove", cls=Command)
@click.option("-f", "--force", is_flag=True, help="Do it.")
@pass_node
def remove(node: Node, /, force: bool) -> None:
    """Take the manager off this machine.

    Its processes, its data and its configuration go with it. A member of a cluster is removed from that
    first: cfy cluster nodes remove NAME.
    """
    if not force:
        raise CliError("This destroys the manager's data on this machine.", "If that is meant: --force")
    carry_out(node, "remove")


def _simple(verb: str, text: str) -> click.Command:
    @click.command(verb, cls=Command, help=text)
    @pass_node
    def command(node: Node, /) -> None:
        carry_out(node, verb)

    return command


start = _simple("start", "Start the manager's services.")
stop = _simple("stop", "Stop the manager's services. A leader is failed over from: switch over before.")
restart = _simple("restart", "Stop the manager's services, and start them.")


def carry_out(node: Node, verb: str, wishes: Mapping[str, Any] | None = None) -> None:
    """Have the installer do it, in a process of its own: it shares no code with this program."""
    command = [sys.executable, "-m", "installer", verb, str(Path(node.config_file).absolute())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 -- For mypy: both were asked for.
        assert process.stdout is not None  # noqa: S101 -- As above.
        json.dump(wishes or {}, process.stdin)
        process.stdin.close()
        ended = False
        for line in process.stdout:
            ended |= _show(node, json.loads(line))
    if not ended:
        raise CliError(f"The installer ended without a word ({process.returncode}).")


def _show(node: Node, told: Mapping[str, Any]) -> bool:
    if error := told.get("error"):
        raise CliError(error, told.get("hint"))
    if step := told.get("say"):
        node.out.progress(step)
        return False
    node.out.done(told["done"], told["data"])
    return True
