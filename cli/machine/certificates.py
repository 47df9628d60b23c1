"""``cfy_manager certificates``: which there are, how long they last, and how they are renewed.

They are listed by a program that reads the files, so that no service has to run for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from cli import options
from cli.command import Group
from cli.errors import CliError
from cli.machine.node import CONFIG_VARIABLE, Node, pass_node
from cli.waiting import Deadline

PROGRAM_TIMEOUT_S = 60
RENEW_TIMEOUT_S = 120.0
LOOK_INTERVAL_S = 0.5
REPLACING = {
    "new-ca": ("cli.machine.replacing_ca:new_ca", "Make another internal CA, in FILE."),
    "trust-ca": ("cli.machine.replacing_ca:trust_ca", "Have this node trust the CA in FILE as well."),
    "sign-with-ca": (
        "cli.machine.replacing_ca:sign_with_ca",
        "Have this node's certificates signed by the CA in FILE.",
    ),
    "drop-old-ca": ("cli.machine.replacing_ca:drop_old_ca", "Have this node trust the new CA alone."),
}
COLUMNS = ("name", "state", "days_left", "valid_until", "services", "file")
IN_USE, SILENT = "in use", "does not answer"
"""What the program says of a service that shows the certificate on disk, and of one that does not run."""


@click.group("certificates", cls=Group, late=REPLACING)
def group() -> None:
    """The certificates and keys of this node."""


@group.command("list")
@click.argument("name", required=False)
@pass_node
def list_certificates(node: Node, name: str | None) -> None:
    """List the certificates and keys of this node: what for, until when, and whether services show them.

    With NAME, everything about that one. It needs no service of the node, but to read its files: run it as
    root. Whatever ends within 30 days is warned of; then the exit code is still 0.
    """
    told = _read(node)
    rows = told["certificates"]
    if name is not None:
        found = _find(rows, name)
        node.out.details({key: value for key, value in found.items() if value}, found)
    else:
        node.out.table(rows, COLUMNS, data=told)
    warn(node, told["warnings"])


@group.command("renew")
@click.option("--only", multiple=True, metavar="NAME", help="Only this one; can be given more than once.")
@click.option(
    "--within",
    "within_days",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Only what ends within so many days.",
)
@click.option(
    "--days", "life_days", type=int, default=825, show_default=True, help="How long the new ones are valid."
)
@click.option("--ca", is_flag=True, help="The internal CA's own certificate as well; its key stays the same.")
@click.option("--dry-run", is_flag=True, help="Only say what would be renewed.")
@options.timeout(RENEW_TIMEOUT_S)
@pass_node
def renew(
    node: Node, /, only: tuple[str, ...], ca: bool, dry_run: bool, timeout_s: float, **days: int | None
) -> None:
    """Renew the certificates of this node, with new keys. Nothing is interrupted.

    They are signed by the internal CA, which stays as it is: no client and no other member has to do
    anything. Each service takes them up for its next connections; those that are there go on. It needs
    neither Consul nor a leader, and helps also when everything has ended. Run it on each member.

    With --ca the internal CA gets a new end as well. Clients and agents need its new certificate before the
    old one ends.
    """
    node.out.progress("Asking the node to renew its certificates.")
    work = node.begin("certificates.renew", only=list(only), ca=ca, dry_run=dry_run, **days)
    done = work.result(timeout_s)
    names = ", ".join(done["certificates"])
    if dry_run or not names:
        node.out.done(f"To be renewed: {names}." if names else "Nothing is to be renewed.", done)
        return
    finish(node, done, timeout_s, f"Renewed, and in use: {names}.")


def finish(node: Node, done: Mapping[str, Any], timeout_s: float, message: str) -> None:
    """Tell what was done, and wait until the services show it."""
    names = ", ".join(done["certificates"])
    node.out.progress(f"Signed anew and put in place: {names}.")
    for service, said in done["services"].items():
        node.out.progress(f"{service} {said}.")
    if done["troubles"]:
        raise CliError("The certificates are renewed, but not all is well. " + " ".join(done["troubles"]))
    _wait_until_shown(node, done["certificates"], timeout_s)
    node.out.done(message, done)


def _wait_until_shown(node: Node, names: list[str], timeout_s: float) -> None:
    """Until every service that answers shows the new certificate to who connects now."""

    def shown() -> bool | None:
        found = [row for row in _read(node)["certificates"] if row["name"] in names]
        states = {state for row in found for state in (row["services"] or {}).values()}
        return states <= {IN_USE, SILENT} or None

    deadline = Deadline(timeout_s, look_with="cfy_manager certificates list")
    deadline.wait_for(shown, "not all services show the new certificates", LOOK_INTERVAL_S)


def _read(node: Node) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(run(node, "certificates"))
    return told


def run(node: Node, program: str, *words: str) -> str:
    """What a program of the node's own code says, in a process of its own. Raises ``CliError``."""
    command = [sys.executable, "-m", f"orchestrator.formation.{program}", *words]
    environment = {**os.environ, CONFIG_VARIABLE: str(node.config_file.absolute())}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PROGRAM_TIMEOUT_S
    )
    if done.returncode:
        complaint = done.stderr.strip() or "The certificates cannot be read."
        raise CliError(complaint, "Run this as root." if "Permission" in complaint else None)
    return done.stdout


def _find(rows: list[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    for row in rows:
        if row["name"] == name:
            return row
    known = ", ".join(row["name"] for row in rows)
    raise CliError(f"There is no certificate or key {name!r}.", f"There is: {known}")


def warn(node: Node, warnings: Iterable[str]) -> None:
    """Say what the node warns of; what is too late already stands out."""
    for warning in warnings:
        node.out.warn(warning, urgent="ENDED" in warning)
