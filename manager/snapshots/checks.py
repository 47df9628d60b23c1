"""What has to be so before a snapshot may be restored. The REST service asks it first, to refuse at once."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from manager.errors import IllegalAction, SnapshotAction
from manager.files import Unit
from manager.gateway import Gateway
from manager.models import Snapshot
from manager.snapshots.archive import Reader, own_version

KIND = "snapshots"

CONTENT = {
    "blueprints": "SELECT count(*) FROM blueprints",
    "deployments": "SELECT count(*) FROM deployments",
    "users beside the administrator": "SELECT count(*) - 1 FROM users",
    "tenants beside the default one": "SELECT count(*) - 1 FROM tenants",
}


def unit_of(snapshot: Snapshot) -> Unit:
    """Its file. Raises ``SnapshotAction`` while there is none."""
    if snapshot.storage_id is None:
        raise SnapshotAction(f"Snapshot `{snapshot.id}` has no file: its status is `{snapshot.status}`")
    return Unit(KIND, snapshot.tenant_name, snapshot.id, snapshot.storage_id)


def check_may_restore(session: Session, gateway: Gateway, archive: Path, *, force: bool) -> None:
    """Raise ``IllegalAction`` or ``SnapshotAction`` where a restore is not allowed, and ``BadParameters``."""
    if gateway.is_member() and len(gateway.nodes()) > 1:
        raise IllegalAction(
            "A snapshot cannot be restored in a cluster of more than one member: "
            "restore it on a manager that is alone, start a cluster there, and let the others join."
        )
    with Reader(archive) as reader:
        revision = session.scalar(text("SELECT version_num FROM alembic_version")) or ""
        reader.manifest.check_not_newer(own_version(), revision)
    if not force:
        check_empty(session)


def check_empty(session: Session) -> None:
    """Raise ``SnapshotAction`` for a manager on which something would be replaced."""
    counts = {name: session.scalar(text(query)) or 0 for name, query in CONTENT.items()}
    there = ", ".join(f"{count} {name}" for name, count in counts.items() if count > 0)
    if there:
        raise SnapshotAction(
            f"The manager is not empty: there are {there}. Restoring a snapshot replaces all of it. "
            "Restore on a new manager, or give `force`."
        )
