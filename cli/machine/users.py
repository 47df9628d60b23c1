"""``cfy_manager users``: for root on the manager, when no administrator can log in."""

from __future__ import annotations

import os

import click

from cli.command import Group
from cli.machine.machine import PASSWORD_VARIABLE, carry_out
from cli.machine.node import Node, pass_node


@click.group("users", cls=Group)
def group() -> None:
    """Let a user in again when no administrator can, on the manager that leads."""


@group.command("unlock")
@click.argument("username")
@pass_node
def unlock(node: Node, username: str) -> None:
    """Let a user try again who gave a wrong password too often."""
    carry_out(node, "unlock", {"username": username, "password": None})


@group.command("reset-password")
@click.argument("username", default="admin")
@pass_node
def reset_password(node: Node, username: str) -> None:
    """Give a user (admin, unless named) another password, and let him in.

    It is taken from CLOUDIFY_ADMIN_PASSWORD; without it, a new one is shown once. The user's token ends.
    """
    carry_out(node, "reset-password", {"username": username, "password": os.environ.get(PASSWORD_VARIABLE)})
