"""``cfy executions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import inputs as given_inputs
from cli import options
from cli.command import Group
from cli.following import EVENT, LOG
from cli.options import Decorator
from cli.resources import Resource, get_command, list_command
from cli.session import Session, pass_session
from cli.settings import Settings
from cli.starting import Wish, run

START_TIMEOUT_S = 900

EXECUTIONS = Resource(
    "execution",
    columns=(
        *("id", "status", "workflow_id", "deployment_id", "error", "created_at", "ended_at", "started_at"),
        *("tenant_name", "created_by", "visibility", "is_dry_run"),
    ),
    fields={"status": "status_display"},
    details=(
        *("id", "workflow_id", "status", "is_dry_run", "deployment_id", "blueprint_id", "parameters"),
        *("created_at", "started_at", "ended_at", "scheduled_for", "error"),
        *("total_operations", "finished_operations"),
        *("is_system_workflow", "visibility", "tenant_name", "created_by"),
    ),
    sort_by="created_at",
)


@click.group("executions", cls=Group)
def group() -> None:
    """Executions: workflows that ran, run, or will run."""


system_workflows = click.option(
    *("--include-system-workflows", "_include_system_workflows"),
    is_flag=True,
    help="Those of the manager itself as well: snapshots, deletions.",
)

group.add_command(
    list_command(EXECUTIONS, options.deployment_filter, options.blueprint_filter, system_workflows)
)
group.add_command(get_command(EXECUTIONS))

execution_argument = click.argument("execution_id", metavar="EXECUTION")

FLAGS: Mapping[str, str] = {
    "allow-custom-parameters": "Take parameters as well that the workflow does not declare.",
    "dry-run": "Only tell what would be done.",
    "queue": "Wait for what is in the way, rather than be refused.",
}


ENDING = {
    "cancelling": "being cancelled, when what runs has ended",
    "force_cancelling": "being cancelled, and what runs is not waited for",
    "kill_cancelling": "being killed",
}
"""What people are told of an execution that somebody wants to end."""


def _flags(function: Any) -> Any:
    for name, help_text in reversed(tuple(FLAGS.items())):
        function = click.option(f"--{name}", is_flag=True, help=help_text)(function)
    return function


def _json_output(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Settings).json = True


json_output: Decorator = click.option(
    "--json-output", is_flag=True, expose_value=False, callback=_json_output, help="The same as --json."
)
include_logs: Decorator = click.option(
    "--include-logs/--no-logs", default=True, show_default=True, help="Show log messages as well."
)


@group.command("start")
@click.argument("workflow_id", metavar="WORKFLOW")
@click.option("-d", "--deployment-id", required=True, metavar="DEPLOYMENT", help="What it works on.")
@given_inputs.option("parameters")
@_flags
@options.force("Start it although another execution runs on the deployment.")
@click.option("--schedule", "scheduled_time", metavar="TIME", help="When: 203001012230+0100, or ISO 8601.")
@click.option(
    *("--execution-timeout", "execution_timeout_s"),
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Have it stopped, and fail, when it takes longer.",
)
@click.option(
    *("--wait-after-fail", "wait_after_fail"),
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="When an operation has failed, how long those beside it may go on.",
)
@options.timeout(START_TIMEOUT_S)
@include_logs
@json_output
@options.in_tenant
@pass_session
def start(
    session: Session, /, parameters: Mapping[str, Any], timeout_s: float, include_logs: bool, **given: Any
) -> None:
    """Start a workflow, and show its events until it has ended.

    When the leader fails meanwhile, the next one goes on with the workflow, and this command with its events.
    Ctrl-C ends the command, not the workflow. With --json each event is a line of its own, and so is the
    execution at the end.
    """
    given["timeout_s"] = given.pop("execution_timeout_s")
    body = {"parameters": parameters, **{name: value for name, value in given.items() if value is not None}}
    types = (EVENT, LOG) if include_logs else (EVENT,)
    execution = run(session, Wish(body, types, timeout_s))
    if session.settings.json:
        session.out.json_line(execution)
    else:
        session.out.done(f"Execution {execution['id']} is {execution['status_display']}.", execution)


@group.command("cancel")
@execution_argument
@options.force("Do not wait for the operations that run.")
@click.option("-k", "--kill", is_flag=True, help="Kill the operations that run.")
@options.in_tenant
@pass_session
def cancel(session: Session, execution_id: str, force: bool, kill: bool) -> None:
    """End an execution before it is done. One that waits is cancelled at once."""
    action = "kill" if kill else "force-cancel" if force else "cancel"
    changed = _change(session, execution_id, action)
    how = ENDING.get(changed["status"], changed["status_display"])
    session.out.done(
        f"Execution {execution_id} is {how}. To look at it: cfy executions get {execution_id}", changed
    )


@group.command("resume")
@execution_argument
@options.force("Run again as well what was running, although nobody knows how far it came.")
@options.in_tenant
@pass_session
def resume(session: Session, execution_id: str, force: bool) -> None:
    """Let an execution that has failed, or was cancelled, go on where it stood."""
    changed = _change(session, execution_id, "force-resume" if force else "resume")
    session.out.done(
        f"Execution {execution_id} goes on. To look at it: cfy events list {execution_id} --tail", changed
    )


def _change(session: Session, execution_id: str, action: str) -> dict[str, Any]:
    changed = session.api.post(EXECUTIONS.path(execution_id), {"action": action})
    return changed or EXECUTIONS.read(session, execution_id)
