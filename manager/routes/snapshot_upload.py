"""Uploading snapshots, in the order of ``uploading``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from manager.dependencies import Cluster, Database
from manager.errors import BadParameters
from manager.files.units import ARCHIVE
from manager.models import Snapshot
from manager.routes.snapshots import PRIVATE, AdminInTenant, check_name, shape
from manager.routes.uploading import Uploading, Wanted
from manager.snapshots.archive import Reader
from manager.snapshots.checks import KIND

snapshot_upload = APIRouter(prefix="/api/v3.1")

MAX_ARCHIVE_BYTES = 256 * 1024**3
PROTECT_TIMEOUT_S = 600.0
UPLOADED = "uploaded"

BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "description": "The snapshot. None when `snapshot_archive_url` is given.",
        "content": {"application/octet-stream": BINARY, "application/json": BINARY},
    }
}


@snapshot_upload.put("/snapshots/{identifier}/archive", status_code=201, openapi_extra=BODY)
async def upload_snapshot(
    request: Request,
    identifier: str,
    scope: AdminInTenant,
    storage: Database,
    gateway: Cluster,
    snapshot_archive_url: str | None = None,
) -> Any:
    """Upload a snapshot. Repeating an upload whose answer was lost gives the same snapshot."""
    check_name(identifier)

    def wanted(given: dict[str, Any]) -> Wanted[Snapshot]:
        url = given.get("snapshot_archive_url", snapshot_archive_url)
        if url is not None and not isinstance(url, str):
            raise BadParameters("snapshot_archive_url: expected text")
        return Wanted(
            model=Snapshot,
            kind=KIND,
            id=identifier,
            visibility=PRIVATE,
            url=url,
            alike={"status": UPLOADED},
            shape=shape,
            check=_check,
            protect_timeout_s=PROTECT_TIMEOUT_S,
        )

    return await Uploading(request, scope, storage, gateway, wanted, MAX_ARCHIVE_BYTES).answer()


def _check(folder: Path) -> None:
    """Raises ``BadParameters`` for what is not a snapshot."""
    with Reader(folder / ARCHIVE):
        pass
