"""Reading the cluster through REST."""

from __future__ import annotations

from typing import Any

from cli.api import Api
from cli.errors import CliError


def read_state(api: Api, **query: str | None) -> dict[str, Any]:
    """``GET /cluster``; ``initialized`` is always there."""
    state: dict[str, Any] = {"initialized": False} | api.get("/cluster", **query)
    return state


def read_nodes(api: Api) -> list[dict[str, Any]]:
    """``GET /cluster/nodes``: the members, offline ones too."""
    return api.items("/cluster/nodes")


def not_in_cluster(address: str) -> CliError:
    """The error for a command that needs a cluster where there is none."""
    return CliError(
        f"The manager at {address} is not in a cluster.",
        "cfy cluster start makes one; cfy cluster join LEADER takes part in one.",
    )
