"""``cfy_manager haproxy``: the configuration of a load balancer for the cluster of this node."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import click

from cli.command import Command
from cli.errors import CliError
from cli.machine.node import Node, pass_node
from cli.session import PASSWORD_VARIABLE, ask_password

TEMPLATE = "haproxy.cfg"
FRONT_CERTIFICATE = "/etc/haproxy/front.pem"
CLUSTER_CA = "/etc/haproxy/cluster-ca.pem"
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Balancer:
    """What the operator decides: where the balancer listens, and as whom it looks after the members.

    ``front_certificate``, ``ca_file``: paths on the balancer's machine.
    """

    bind: str
    front_certificate: str
    ca_file: str
    username: str
    password: str


@click.command("haproxy", cls=Command)
@click.option("-u", "--username", required=True, metavar="NAME", help="As whom the members are checked.")
@click.option(
    "-p", "--password", metavar="PASSWORD", help=f"Default: {PASSWORD_VARIABLE}, else it is asked for."
)
@click.option(
    "--bind",
    default=None,
    metavar="ADDRESS",
    help="Where clients connect. Default: all addresses, REST's port.",
)
@click.option(
    "--front-certificate",
    default=FRONT_CERTIFICATE,
    show_default=True,
    metavar="FILE",
    help="The balancer's own certificate and key, on its machine.",
)
@click.option(
    "--ca-file",
    default=CLUSTER_CA,
    show_default=True,
    metavar="FILE",
    help="The cluster's CA, on the balancer's machine.",
)
@click.option(
    *("-o", "--output-path", "output"),
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it here, readable by its owner only. Default: standard output.",
)
@pass_node
def command(
    node: Node, /, username: str, password: str | None, bind: str | None, output: Path | None, **paths: str
) -> None:
    """Print the configuration of an HAProxy in front of this cluster.

    It holds the password of the user who looks after the members: keep it secret. Members that join later
    are not in it: run this again when the cluster has changed.
    """
    if ":" in username:
        raise CliError(f"The user name {username!r} has a colon, so it cannot be sent with a password.")
    cluster = node.ask("formation.balanced")
    password = password or os.environ.get(PASSWORD_VARIABLE) or ask_password(f"Password of {username}")
    balancer = Balancer(bind or f":{cluster['port']}", username=username, password=password, **paths)
    text = render(cluster, balancer)
    if output is None:
        node.out.line(text)
        return
    _write(output, text)
    names = ", ".join(member["name"] for member in cluster["members"])
    ca = "" if cluster["protocol"] == "http" else f" Put {cluster['ca_file']} there as {balancer.ca_file}."
    node.out.done(f"{output} balances {names}.{ca}", {"file": str(output), "members": cluster["members"]})


def render(cluster: Mapping[str, Any], balancer: Balancer) -> str:
    """The text of the configuration. ``cluster``: the answer of ``formation.balanced``."""
    secure = cluster["protocol"] == "https"
    basic = base64.b64encode(f"{balancer.username}:{balancer.password}".encode()).decode()
    template = Template(files("cli.machine").joinpath(TEMPLATE).read_text())
    return template.substitute(
        bind=f"{balancer.bind} ssl crt {balancer.front_certificate}" if secure else balancer.bind,
        # A backslash would begin an escape and a quote end the word; base64 has neither.
        authorization=basic,
        tls=f"default-server ssl verify required ca-file {balancer.ca_file}" if secure else "",
        servers="\n    ".join(_servers(cluster["members"], cluster["port"])),
    )


def _servers(members: Iterable[Mapping[str, str]], port: int) -> Iterable[str]:
    for member in members:
        address = member["address"]
        yield f"server {member['name']} {f'[{address}]' if ':' in address else address}:{port}"


def _write(path: Path, text: str) -> None:
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as file:
            file.write(text)
    except OSError as error:
        raise CliError(f"{path}: cannot be written: {error.strerror}") from error
