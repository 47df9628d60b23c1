"""``cfy_manager install``, ``remove``, ``start``, ``stop``, ``restart``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
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


@click.command("install", cls=Command)
@click.option("--host-ip", type=IpAddress(), metavar="IP", help="Default: the address of the default route.")
@click.option(
    "--public-ip", metavar="ADDRESS", help="Where clients reach this manager, if that is elsewhere."
)
@click.option("--rest-port", type=click.IntRange(1, 65535), metavar="PORT", help="Default: 443.")
@click.option(
    "--from",
    "given",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="A configuration file to begin with.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=_settings,
    metavar="SECTION.KEY=VALUE",
    help="Any other setting; see the reference of the configuration.",
)
@pass_node
def install(
    node: Node,
    /,
    host_ip: str | None,
    public_ip: str | None,
    rest_port: int | None,
    given: str | None,
    settings: Mapping[str, str],
) -> None:
    """Make a manager of this machine.

    That is a user, folders, a database and units of systemd, which are started. It checks first, says all
    that is missing at once, and changes nothing then. It can be run again: what is there is kept, and what is
    asked for anew is changed. The administrator's password is taken from CLOUDIFY_ADMIN_PASSWORD; without it,
    a new one is shown once.
    """
    named = {"host_ip": host_ip, "public_ip": public_ip, "ports.rest": rest_port}
    wishes = {**settings, **{key: str(value) for key, value in named.items() if value is not None}}
    password = os.environ.get(PASSWORD_VARIABLE)
    _carry_out(node, "install", {"given": given, "settings": wishes, "admin_password": password})


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
    _carry_out(node, "remove")


def _simple(verb: str, text: str) -> click.Command:
    @click.command(verb, cls=Command, help=text)
    @pass_node
    def command(node: Node, /) -> None:
        _carry_out(node, verb)

    return command


start = _simple("start", "Start the manager's services.")
stop = _simple("stop", "Stop the manager's services. A leader is failed over from: switch over before.")
restart = _simple("restart", "Stop the manager's services, and start them.")


def _carry_out(node: Node, verb: str, wishes: Mapping[str, Any] | None = None) -> None:
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
