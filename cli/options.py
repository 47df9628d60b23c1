"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.settings import Settings

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

VISIBILITIES = ("private", "tenant", "global")


class IpAddress(click.ParamType[str]):
    """An IP address. Members find each other by it, so that no name service can take a cluster down."""

    name = "ip"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check an address that was given on the command line."""
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            self.fail(f"{value!r} is not an IP address; a hostname cannot be used here.", param, ctx)


def is_ip_address(text: str) -> bool:
    """Whether this is an IP address, and not a hostname."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _node_options(ctx: click.Context, param: click.Parameter, values: Iterable[str]) -> dict[str, str]:
    pairs = [pair.strip() for value in values for pair in value.split(";") if pair.strip()]
    options: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise click.BadParameter(f"{pair!r} is not of the form NAME=VALUE.", ctx, param)
        options[key.strip()] = value.strip()
    return options


def node_options(*, required: bool = False) -> Decorator:
    """``--options``: settings of a node, as pairs. What is valid is known to the manager alone."""
    return click.option(
        "--options",
        "-o",
        "options",
        multiple=True,
        required=required,
        callback=_node_options,
        metavar="NAME=VALUE",
        help="An option of the node; repeat it, or join several with ';'.",
    )


def timeout(default_s: float) -> Decorator:
    """``--timeout``: how long to wait for what a manager does after it has accepted a command."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait. What was asked for goes on nevertheless.",
    )


@dataclass(frozen=True, slots=True)
class NewMember:
    """What the user wants a new member to be; None is for the defaults."""

    host_ip: str | None
    node_name: str | None
    options: Mapping[str, str]


def new_member(function: Callable[..., None]) -> Callable[..., None]:
    """The options that describe a new member; the command gets them together, as ``member``."""

    @functools.wraps(function)
    def wrapper(
        *args: Any, host_ip: str | None, node_name: str | None, options: Mapping[str, str], **kwargs: Any
    ) -> None:
        function(*args, member=NewMember(host_ip, node_name, options), **kwargs)

    host_ip_option = click.option(
        "--cluster-host-ip",
        "host_ip",
        type=IpAddress(),
        metavar="IP",
        help="The address that the members use among themselves. Default: the manager's in the profile.",
    )
    node_name_option = click.option(
        "--cluster-node-name",
        "node_name",
        metavar="NAME",
        help="The member's name in the cluster. Default: a generated one.",
    )
    return host_ip_option(node_name_option(node_options()(wrapper)))


def _in_tenant(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.ensure_object(Settings).tenant = value


in_tenant: Decorator = click.option(
    *("-t", "--tenant-name"),
    expose_value=False,
    callback=_in_tenant,
    metavar="TENANT",
    help="The tenant. Default: the profile's.",
)

visibility: Decorator = click.option(
    *("-l", "--visibility"),
    type=click.Choice(VISIBILITIES),
    default="tenant",
    show_default=True,
    help="Who sees it: its maker, its tenant, or all tenants.",
)

blueprint_filter: Decorator = click.option(
    "-b", "--blueprint-id", metavar="BLUEPRINT", help="Only those of this blueprint."
)

deployment_filter: Decorator = click.option(
    "-d", "--deployment-id", metavar="DEPLOYMENT", help="Only those of this deployment."
)


def force(help_text: str, name: str = "force") -> Decorator:
    """``-f``: go on where the command would refuse; ``name`` is the parameter's."""
    return click.option("-f", "--force", name, is_flag=True, help=help_text)


def output_path(function: Callable[..., None]) -> Callable[..., None]:
    """``-o`` and ``-f`` of a download."""
    path = click.option(
        *("-o", "--output-path"),
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The file to write, or the folder to write it to. Default: the present folder.",
    )
    return path(force("Replace the file if there is one.")(function))
