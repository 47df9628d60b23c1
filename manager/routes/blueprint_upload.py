"""Uploading blueprints, in the order of ``uploading``: they are unpacked first, and parsed last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Query, Request

from manager import dsl
from manager.dependencies import Cluster, Database, Flag
from manager.errors import BadParameters
from manager.files import check_id
from manager.files.archives import kind_of, unpack
from manager.files.units import ARCHIVE, CONTENT
from manager.models import DEFAULT_VISIBILITY, Blueprint
from manager.routes.blueprints import KIND, shape
from manager.routes.json_route import NAME_PATTERN
from manager.routes.uploading import Columns, Uploading, Wanted
from manager.tenancy import WritingInTenant

blueprint_upload = APIRouter(prefix="/api/v3.1")

MAX_ARCHIVE_BYTES = 4 * 1024**3
DEFAULT_MAIN_FILE = "blueprint.yaml"
PROTECT_TIMEOUT_S = 30.0

BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "description": "The archive: tar, tar.gz, tar.bz2 or zip, with exactly one folder at the top. "
        "None when `blueprint_archive_url` is given.",
        "content": {
            "application/octet-stream": BINARY,
            "application/json": BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "params": {"type": "string"},
                        "blueprint_archive": {"type": "string", "format": "binary"},
                    },
                }
            },
        },
    }
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asks for, beside the archive itself."""

    id: str
    main_file: str = DEFAULT_MAIN_FILE
    visibility: str = DEFAULT_VISIBILITY
    url: str | None = None

    def with_fields(self, given: dict[str, Any]) -> Asked:
        """With what a form says. Raises ``BadParameters``."""
        names = {
            "application_file_name": "main_file",
            "visibility": "visibility",
            "blueprint_archive_url": "url",
        }
        chosen = {names[name]: value for name, value in given.items() if name in names and value is not None}
        wrong = sorted(name for name, value in chosen.items() if not isinstance(value, str))
        if wrong:
            raise BadParameters(f"{', '.join(wrong)}: expected text")
        return replace(self, **chosen)

    def wanted(self, given: dict[str, Any]) -> Wanted[Blueprint]:
        """The blueprint that is to be there, with what a form says of it."""
        asked = self.with_fields(given)
        # Existing clients encode the name once more than URLs need.
        main_file = unquote(asked.main_file)
        return Wanted(
            model=Blueprint,
            kind=KIND,
            id=asked.id,
            visibility=asked.visibility,
            url=asked.url,
            alike={"main_file_name": main_file},
            shape=partial(shape, plan=True),
            check=lambda folder: unpack(folder / ARCHIVE, folder / CONTENT),
            read=partial(_read, asked.id, main_file),
            protect_timeout_s=PROTECT_TIMEOUT_S,
        )


def _read(identifier: str, main_file: str, unit: Path) -> Columns:
    """What is in a blueprint. Raises ``BadParameters`` and its kin."""
    plan = dsl.parse(unit / CONTENT, main_file)
    archive_name = f"{identifier}.{kind_of(unit / ARCHIVE)}"
    return {"plan": plan, "description": plan["description"], "archive_name": archive_name}


@blueprint_upload.put("/blueprints/{identifier}", status_code=201, openapi_extra=BODY)
async def upload_blueprint(
    request: Request,
    identifier: str,
    scope: WritingInTenant,
    storage: Database,
    gateway: Cluster,
    application_file_name: Annotated[str, Query(max_length=1024)] = DEFAULT_MAIN_FILE,
    visibility: str | None = None,
    private_resource: Flag = False,
    blueprint_archive_url: str | None = None,
) -> Any:
    """Upload a blueprint. Repeating an upload whose answer was lost gives the same blueprint.

    ``private_resource``: how clients asked for a private one before there were visibilities.
    """
    _check_id(identifier)
    wanted = visibility or ("private" if private_resource else DEFAULT_VISIBILITY)
    asked = Asked(identifier, application_file_name, wanted, blueprint_archive_url)
    return await Uploading(request, scope, storage, gateway, asked.wanted, MAX_ARCHIVE_BYTES).answer()


def _check_id(identifier: str) -> None:
    check_id("blueprint", identifier)
    if not NAME_PATTERN.fullmatch(identifier):
        raise BadParameters(
            f"`{identifier[:256]}` cannot be the ID of a blueprint: letters, digits and `_.~-` are allowed"
        )
