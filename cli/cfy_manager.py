"""The command line for the manager on this machine.

It needs neither the REST service nor a leader: it speaks to the node's own task queue.

\b
Exit codes:
  0    done
  1    refused, or failed
  2    the command line is wrong
  3    the node does not answer
  5    it goes on, but waiting for it took too long (--timeout)
  130  interrupted
"""  # noqa: D301 -- The escape is Click's mark for text that keeps its lines.

from __future__ import annotations

import click

from cli.command import RootGroup, config_option

COMMANDS = {
    "install": ("cli.machine.machine:install", "Make a manager of this machine."),
    "configure": ("cli.machine.machine:configure", "Change the settings of the manager on this machine."),
    "remove": ("cli.machine.machine:remove", "Take the manager off this machine."),
    "start": ("cli.machine.machine:start", "Start the manager's services."),
    "stop": ("cli.machine.machine:stop", "Stop the manager's services."),
    "restart": ("cli.machine.machine:restart", "Stop the manager's services, and start them."),
    "cluster": ("cli.machine.cluster:group", "The cluster, as this node takes part in it."),
    "archive": (
        "cli.machine.archive:group",
        "What this node alone had acknowledged, kept before its data was replaced.",
    ),
    "certificates": (
        "cli.machine.certificates:group",
        "The certificates and keys of this node.",
    ),
    "haproxy": (
        "cli.machine.haproxy:command",
        "Print the configuration of an HAProxy in front of this cluster.",
    ),
    "recover-quorum": (
        "cli.machine.quorum:recover_quorum",
        "Make a cluster of this node alone, which new managers can join.",
    ),
    "logs": ("cli.machine.logs:group", "Show what all services of this node say, in the order of time."),
    "status": ("cli.machine.status:command", "Show how this node is, and where it stands towards a cluster."),
    "users": (
        "cli.machine.users:group",
        "Let a user in again when no administrator can, on the manager that leads.",
    ),
    "validate-config": (
        "cli.machine.validate:command",
        "Check a configuration file: which key is wrong, and what is allowed there.",
    ),
}


@click.group("cfy_manager", cls=RootGroup, late=COMMANDS, params=[config_option()], help=__doc__)
@click.version_option(package_name="cloudify-manager-cluster", message="%(prog)s %(version)s")
def main() -> None:
    """Start of the program; the help is the module's."""


if __name__ == "__main__":
    main(prog_name="cfy_manager")
