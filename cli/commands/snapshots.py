"""``cfy snapshots``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli import options
from cli.command import Group
from cli.resources import Resource, delete_command, get_command, list_command
from cli.session import Session, pass_session
from cli.transfers import download as fetch
from cli.transfers import upload as send

SNAPSHOTS = Resource(
    "snapshot",
    columns=("id", "status", "created_at", "error", "tenant_name", "created_by", "visibility"),
    sort_by="created_at",
)

snapshot_argument = click.argument("snapshot_id", metavar="SNAPSHOT")


@click.group("snapshots", cls=Group)
def group() -> None:
    """Snapshots: all that the manager holds, in one file."""


group.add_command(list_command(SNAPSHOTS))
group.add_command(get_command(SNAPSHOTS))
group.add_command(delete_command(SNAPSHOTS))


def new_id() -> str:
    """A snapshot's id for a user who gives none: the time, as people read it."""
    return f"snapshot_{datetime.now(UTC):%Y%m%d_%H%M%S}"


@group.command("create")
@click.argument("snapshot_id", metavar="[SNAPSHOT]", required=False)
@click.option("--include-metrics", is_flag=True, help="Passed on; this manager keeps no metrics.")
@click.option("--exclude-credentials", is_flag=True, help="Passed on; this manager keeps no keys of agents.")
@click.option("--exclude-logs", is_flag=True, help="Without the logs.")
@click.option("--exclude-events", is_flag=True, help="Without the events.")
@click.option("--queue", is_flag=True, help="Wait for executions that run, rather than be refused.")
@options.in_tenant
@pass_session
def create(
    session: Session, /, snapshot_id: str | None, include_metrics: bool, queue: bool, **given: bool
) -> None:
    """Make a snapshot on the manager. It goes on there: cfy snapshots list shows when it is done."""
    name = snapshot_id or new_id()
    body = {
        "include_metrics": include_metrics,
        **{f"include_{it}": not given[f"exclude_{it}"] for it in ("credentials", "logs", "events")},
        "queue": queue,
    }
    execution = session.api.put(SNAPSHOTS.path(name), body)
    session.out.done(_begun(f"Snapshot {name} is being made", execution), execution)


def _begun(what: str, execution: Any) -> str:
    return f"{what}. The execution's id is {execution['id']}." if execution else f"{what}."


@group.command("upload")
@click.argument("source", metavar="PATH|URL")
@click.option("-s", "--snapshot-id", metavar="ID", help="Default: made from the time.")
@options.in_tenant
@pass_session
def upload(session: Session, source: str, snapshot_id: str | None) -> None:
    """Upload a snapshot that was downloaded before. From a URL it is fetched by the manager."""
    name = snapshot_id or new_id()
    where = SNAPSHOTS.path(name, "archive")
    if "://" in source:
        uploaded = session.api.upload(where, None, snapshot_archive_url=source)
    else:
        uploaded = send(session, where, Path(source))
    session.out.done(f"Snapshot {name} is uploaded.", uploaded)


@group.command("download")
@snapshot_argument
@options.output_path
@options.in_tenant
@pass_session
def download(session: Session, snapshot_id: str, output_path: Path | None, force: bool) -> None:
    """Download a snapshot. The file holds secrets, and is readable by its owner only."""
    where = SNAPSHOTS.path(snapshot_id, "archive")
    file = fetch(session, where, output_path, default=f"{snapshot_id}.zip", force=force)
    session.out.done(f"Snapshot {snapshot_id} is downloaded to {file}.", {"path": str(file)})


@group.command("restore")
@snapshot_argument
@options.force("Restore although the manager is not empty.")
@click.option(
    "--without-deployment-envs",
    is_flag=True,
    help="Passed on; deployments of this manager have no environments to be made.",
)
@click.option("--restore-certificates", is_flag=True, help="Passed on; a snapshot of this manager has none.")
@click.option("--no-reboot", is_flag=True, help="Passed on; this manager is never restarted by it.")
@click.option(
    "--ignore-plugin-failure", is_flag=True, help="Passed on; this manager installs no plugins by it."
)
@options.in_tenant
@pass_session
def restore(session: Session, /, snapshot_id: str, without_deployment_envs: bool, **given: bool) -> None:
    """Restore a snapshot: a manager alone, or a cluster of one member, becomes what it was."""
    body = {**given, "recreate_deployments_envs": not without_deployment_envs}
    execution = session.api.post(SNAPSHOTS.path(snapshot_id, "restore"), body)
    session.out.done(_begun(f"Snapshot {snapshot_id} is being restored", execution), execution)


@group.command("status")
@pass_session
def status(session: Session) -> None:
    """Show whether a snapshot is being restored."""
    session.out.details(session.api.get("/snapshot-status"))
