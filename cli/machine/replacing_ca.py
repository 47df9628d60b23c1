"""``cfy_manager certificates new-ca``, ``trust-ca``, ``sign-with-ca``, ``drop-old-ca``: another internal CA.

Each of the last three is run on every member before the next one is run anywhere.
"""

from __future__ import annotations

from pathlib import Path

import click

from cli import options
from cli.command import Command
from cli.errors import CliError
from cli.machine.certificates import RENEW_TIMEOUT_S, finish, run
from cli.machine.node import Node, pass_node

KEY_MARK = "-----BEGIN PRIVATE KEY-----"

FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command("new-ca", cls=Command)
@FILE
@pass_node
def new_ca(node: Node, /, file: Path) -> None:
    """Make another internal CA, in FILE.

    The file holds its certificate and its key, and is for its owner only. Bring it to every member over a
    secure way. Nothing changes until the other commands are run.
    """
    run(node, "authority", "make", str(file))
    node.out.done(f"A new CA is in {file}. Next, on every member: trust-ca", {"file": str(file)})


@click.command("trust-ca", cls=Command)
@FILE
@options.timeout(RENEW_TIMEOUT_S)
@pass_node
def trust_ca(node: Node, /, file: Path, timeout_s: float) -> None:
    """Have this node trust the CA in FILE as well.

    Run it on every member. Then give their ca.pem, which has both certificates now, to clients and agents.
    """
    certificate, _, _ = _content(file).partition(KEY_MARK)
    done = node.begin("certificates.replace_ca", step="trust", authority=certificate).result(timeout_s)
    finish(node, done, timeout_s, "This node trusts both CAs. When all do: sign-with-ca, on each")


@click.command("sign-with-ca", cls=Command)
@FILE
@options.timeout(RENEW_TIMEOUT_S)
@pass_node
def sign_with_ca(node: Node, /, file: Path, timeout_s: float) -> None:
    """Have this node's certificates signed by the CA in FILE.

    It is refused while a member does not trust that one yet, or does not answer. Clients and agents that do
    not have its certificate yet cannot connect to this node any more.
    """
    authority = _content(file)
    run(node, "authority", "may-sign", str(file.absolute()))
    done = node.begin("certificates.replace_ca", step="sign", authority=authority).result(timeout_s)
    finish(node, done, timeout_s, "This node signs with the new CA. When all do: drop-old-ca, on each")


@click.command("drop-old-ca", cls=Command)
@options.timeout(RENEW_TIMEOUT_S)
@pass_node
def drop_old_ca(node: Node, /, timeout_s: float) -> None:
    """Have this node trust the new CA alone.

    That is the one that it signs with: see cfy_manager certificates list ca. It is refused while a member
    shows certificates of another one, or does not answer.
    """
    run(node, "authority", "may-drop")
    done = node.begin("certificates.replace_ca", step="drop").result(timeout_s)
    finish(node, done, timeout_s, "This node trusts the CA that it signs with, and no other one.")


def _content(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CliError(f"{file}: cannot be read: {why}") from error
