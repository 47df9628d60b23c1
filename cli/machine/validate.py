"""``cfy_manager validate-config``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from cli.command import Command
from cli.errors import CliError
from cli.machine.node import Node, pass_node

TIMEOUT_S = 30


@click.command("validate-config", cls=Command)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@pass_node
def command(node: Node, file: Path | None) -> None:
    """Check a configuration file: which key is wrong, and what is allowed there.

    Without FILE, the node's own configuration is checked.
    """
    file = file or node.config_file
    # The node's own code judges, in a process of its own: what is allowed is written down there alone.
    program = [sys.executable, "-m", "orchestrator.config", str(file)]
    checked = subprocess.run(program, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if checked.returncode:
        raise CliError(checked.stderr.strip() or f"{file}: cannot be checked")
    node.out.done(f"{file} is in order.", {"file": str(file), "valid": True})
