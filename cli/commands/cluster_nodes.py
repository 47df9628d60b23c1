"""``cfy cluster nodes``: the members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import click

from cli import options
from cli.api import path
from cli.command import Group
from cli.errors import Rejected
from cli.members import not_in_cluster, read_nodes, read_state
from cli.profile import state_of
from cli.session import Session, pass_session
from cli.waiting import Deadline

CHECKS = ("database", "services", "consul", "heartbeat")
REMOVAL_TIMEOUT_S = 60
SECRET = ("credentials", "required")


@click.group("nodes", cls=Group)
def group() -> None:
    """The members of the cluster."""


@group.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the members: who leads, who is offline, and which checks fail."""
    nodes = _members(session)
    rows = [_row(node) for node in nodes]
    address = ("host_ip", "public_ip") if any(node.get("public_ip") for node in nodes) else ("host_ip",)
    data = [_shown(node) for node in nodes]
    session.out.table(
        rows, ("name", *address, "state", *CHECKS, "files"), data=data, empty="The cluster has no members."
    )


def _members(session: Session) -> list[dict[str, Any]]:
    """The members; the profile learns them, too. Raises ``CliError`` when there is no cluster."""
    if not read_state(session.api)["initialized"]:
        raise not_in_cluster(session.profile.address)
    nodes = read_nodes(session.api)
    session.learn_members(nodes)
    return nodes


def _row(node: Mapping[str, Any]) -> dict[str, Any]:
    checks = {name: "ok" if passes else "FAILED" for name, passes in (node.get("checks") or {}).items()}
    return {**node, **checks, "state": state_of(node), "files": _files(node.get("files"))}


def _files(files: Mapping[str, Any] | None) -> str:
    """Whether a node has all files of the leader."""
    if files is None:
        return "unknown"
    return f"{files['behind']} behind" if files["behind"] else "ok"


def _shown(node: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in node.items() if key not in SECRET}
    return shown | {"state": state_of(node)}


@group.command("get")
@click.argument("name")
@pass_session
def get(session: Session, name: str) -> None:
    """Show a member, with its options."""
    node = session.api.get(path("cluster", "nodes", name))
    session.out.details(_details(node), _shown(node))


def _details(node: Mapping[str, Any]) -> dict[str, Any]:
    # Options look as they are to be typed for nodes update.
    options = {key: str(value).lower() for key, value in (node.get("options") or {}).items()}
    checks = {key: value for key, value in _row(node).items() if key in (*CHECKS, "files")}
    hidden = {"online", "master", "options", "checks", "files"}
    return {key: value for key, value in _shown(node).items() if key not in hidden} | checks | options


@group.command("update")
@click.argument("name")
@options.node_options(required=True)
@pass_session
def update(session: Session, name: str, options: dict[str, str]) -> None:
    """Change options of a member."""
    node = session.api.patch(path("cluster", "nodes", name), options)
    # The member that carried it out may not have been able to say so any more.
    node = node or session.api.get(path("cluster", "nodes", name))
    session.out.done(f"The options of {name} are changed.", _shown(node))


@group.command("remove")
@click.argument("name")
@options.timeout(REMOVAL_TIMEOUT_S)
@pass_session
def remove(session: Session, name: str, timeout_s: float) -> None:
    """Take a member out of the cluster.

    It is not usable as a manager afterwards: cfy_manager remove on that machine takes the manager off it.
    A dead member can be removed; the leader cannot while others remain (cfy cluster set-active first).
    """
    deadline = Deadline(timeout_s)
    nodes = deadline.send(lambda: _members(session), "the members cannot be told")
    try:
        removed = deadline.send(
            lambda: session.api.delete(path("cluster", "nodes", name)), f"nobody can take {name} out"
        )
    except Rejected as error:
        error.hint = _hint(error, nodes)
        raise
    left = deadline.wait_for(lambda: _without(read_nodes(session.api), name), f"{name} is still listed")
    session.learn_members(left)
    session.out.done(f"{name} is removed from the cluster.", _shown(removed or {"name": name}))


def _without(nodes: list[dict[str, Any]], name: str) -> list[dict[str, Any]] | None:
    return None if any(node["name"] == name for node in nodes) else nodes


def _hint(error: Rejected, nodes: Iterable[Mapping[str, Any]]) -> str | None:
    if error.status == HTTPStatus.NOT_FOUND:
        return "The members: " + ", ".join(str(node["name"]) for node in nodes)
    return error.hint
