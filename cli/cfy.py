"""The command line for a cluster of managers, from anywhere.

\b
Exit codes:
  0    done
  1    refused, or failed
  2    the command line is wrong, or there is no profile
  3    no manager could be reached, or none of them leads
  4    wrong or missing credentials, or not allowed
  5    it goes on, but waiting for it took too long (--timeout)
  130  interrupted
"""  # noqa: D301 -- The escape is Click's mark for text that keeps its lines.

from __future__ import annotations

import click

from cli.command import RootGroup, profile_option

COMMANDS = {
    "agents": ("cli.commands.agents:group", "Agents: the manager's hands on other machines."),
    "blueprints": ("cli.commands.blueprints:group", "Blueprints: what can be deployed."),
    "cluster": ("cli.commands.cluster:group", "The cluster: its members, its leader, its history."),
    "deployments": ("cli.commands.deployments:group", "Deployments: blueprints with their inputs."),
    "events": ("cli.commands.events:group", "What executions reported."),
    "executions": ("cli.commands.executions:group", "Executions: workflows that ran, run, or will run."),
    "maintenance-mode": (
        "cli.commands.maintenance:group",
        "Maintenance mode, in which a manager starts nothing new.",
    ),
    "node-instances": ("cli.commands.node_instances:group", "The instances of the nodes of deployments."),
    "nodes": ("cli.commands.nodes:group", "Nodes: what deployments consist of."),
    "profiles": ("cli.commands.profiles:group", "Which cluster is spoken to, and as whom."),
    "snapshots": ("cli.commands.snapshots:group", "Snapshots: all that the manager holds, in one file."),
    "ssl": ("cli.commands.ssl:group", "Whether the manager is spoken to with encryption (SSL)."),
    "status": ("cli.commands.status:command", "Show whether the active manager works, service by service."),
    "tenants": ("cli.commands.tenants:group", "The tenants of the manager, and who works in them."),
    "tokens": ("cli.commands.tokens:group", "Tokens, which stand for a user name and a password."),
    "users": ("cli.commands.users:group", "The users of the manager (for administrators)."),
    "workflows": ("cli.commands.workflows:group", "Workflows: what can be done with a deployment."),
}


@click.group("cfy", cls=RootGroup, late=COMMANDS, params=[profile_option()], help=__doc__)
@click.version_option(package_name="cloudify-manager-cluster", message="%(prog)s %(version)s")
def main() -> None:
    """Start of the program; the help is the module's."""


if __name__ == "__main__":
    main(prog_name="cfy")
