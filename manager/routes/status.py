"""What clients ask a manager first: its version, whether it serves, what it was set up with."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from manager.dependencies import Caller, Cluster, Database, ListQuery
from manager.errors import NotFound
from manager.models import ProviderContext
from manager.routes.json_route import router

unversioned = APIRouter(prefix="/api")
status = router()

DISTRIBUTION = "cloudify-manager-cluster"
EDITION = "community"

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


@status.get("/maintenance")
async def read_maintenance(_: Caller) -> dict[str, Any]:
    """The maintenance mode of a manager, which is never on. (A cluster is paused in ``/cluster``.)"""
    return {
        "status": "deactivated",
        "activated_at": "",
        "activation_requested_at": "",
        "remaining_executions": None,
        "requested_by": "",
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
