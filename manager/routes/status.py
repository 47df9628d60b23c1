"""What clients ask a manager first: its version, whether it serves, what it was set up with."""

from __future__ import annotations

import platform
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field
from sqlalchemy import select

from manager.closing import refuse_writes
from manager.dependencies import Admin, Caller, Cluster, Database, Flag, ListQuery, Slot
from manager.errors import Conflict, NotFound
from manager.models import NAME_LENGTH, ProviderContext
from manager.routes.json_route import Body, Document, Text, router

unversioned = APIRouter(prefix="/api")
status = router()

DISTRIBUTION = "cloudify-manager-cluster"
EDITION = "community"
CONTEXT_ID = "CONTEXT"
"""There is only one."""

DISPLAY_NAMES = {
    "broker": "Message Broker",
    "check-runner": "Check Runner",
    "consul": "Consul",
    "consul-watcher": "Consul Watcher",
    "handler-runner": "Handler Runner",
    "lease-guard": "Lease Guard",
    "mgmtworker": "Management Worker",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "restservice": "Manager Rest-Service",
    "sshd": "SSH",
}


@unversioned.get("/version")
async def read_version() -> dict[str, Any]:
    """What runs here. The one call that every member answers, for everybody, whoever leads."""
    return _version()


@cache
def _version() -> dict[str, Any]:
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    return {
        "version": version(DISTRIBUTION),
        "edition": EDITION,
        "distribution": system.get("ID", ""),
        "distro_release": system.get("VERSION_CODENAME") or system.get("VERSION_ID", ""),
        "build": None,
        "date": None,
        "commit": None,
    }


@status.get("/status")
def read_status(_: Caller, cluster: Cluster) -> dict[str, Any]:
    """That this manager serves (any other member has refused by now), and what runs on the machine."""
    services = [_service(name, state) for name, state in cluster.services()]
    files = cluster.files_state()
    return {"status": "running", "services": services} | ({"files": files} if files else {})


def _service(name: str, state: str) -> dict[str, Any]:
    unit = f"cloudify-{name}"
    display_name = DISPLAY_NAMES.get(name, name)
    return {
        "display_name": display_name,
        "unit_id": unit,
        "instances": [{"Id": unit, "Description": display_name, "state": state}],
    }


@status.get("/provider/context")
def read_provider_context(_: Caller, storage: Database, query: ListQuery) -> dict[str, Any]:
    """What the manager was set up with."""
    query.check_include(("name", "context"))
    with storage.reading() as session:
        found = session.scalar(select(ProviderContext))
        if found is None:
            raise NotFound("Provider Context not found")
        return query.project({"name": found.name, "context": found.context})


class NewContext(Body):
    """The body of ``POST /provider/context``."""

    name: Annotated[Text, Field(max_length=NAME_LENGTH)]
    context: Document


@status.post(
    "/provider/context",
    status_code=201,
    responses={200: {"description": "It was there, and has been changed."}},
    dependencies=[Depends(refuse_writes)],
)
def write_provider_context(
    new: NewContext, _: Admin, storage: Database, slot: Slot, answer: Response, update: Flag = False
) -> dict[str, Any]:
    """Say what the manager was set up with. With ``update`` it replaces what was said before."""
    with storage.writing(slot) as session:
        found = session.scalar(select(ProviderContext).with_for_update())
        if found is not None and not update:
            raise Conflict("Provider Context already exists")
        if found is None:
            found = ProviderContext(id=CONTEXT_ID)
            session.add(found)
        else:
            answer.status_code = HTTPStatus.OK
        found.name, found.context = new.name, new.context
    return {"status": "ok", "name": new.name, "context": new.context}
