"""The table of agents, as operations write it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any, Protocol

from cloudify.exceptions import NonRecoverableError

from manager.operations.database import Database
from manager.settings import DatabaseSettings

NOTE = """
    INSERT INTO agents (name, node_instance_pk, ip, install_method, state, system, version, members)
    SELECT %(name)s, i.pk, %(ip)s, %(method)s, %(state)s, %(system)s, %(version)s, %(members)s::jsonb
    FROM node_instances i JOIN tenants t ON t.id = i.tenant_id
    WHERE i.id = %(instance)s AND t.name = %(tenant)s
    ON CONFLICT (name) DO UPDATE
    SET ip = excluded.ip, install_method = excluded.install_method, state = excluded.state,
        system = coalesce(excluded.system, agents.system),
        version = coalesce(excluded.version, agents.version), updated_at = now(),
        members = coalesce(excluded.members, agents.members)
    WHERE agents.node_instance_pk = excluded.node_instance_pk
    RETURNING pk
"""
FORGET = """
    DELETE FROM agents a USING node_instances i, tenants t
    WHERE a.name = %(name)s AND a.node_instance_pk = i.pk AND i.tenant_id = t.id
        AND i.id = %(instance)s AND t.name = %(tenant)s
"""


class Installed(Protocol):
    """An agent, and the machine that it is on."""

    @property
    def name(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def ip(self) -> str: ...
    @property
    def method(self) -> str: ...


def note(
    settings: DatabaseSettings, agent: Installed, state: str, told: dict[str, Any] | None = None
) -> None:
    """Have the agent in the table, with what it has said of itself. Raises ``DatabaseError``."""
    told = told or {}
    members = told.get("members")
    values = {
        **_names(agent),
        "ip": agent.ip,
        "method": agent.method,
        "state": state,
        "system": told.get("system"),
        "version": told.get("version"),
        "members": None if members is None else json.dumps(members),
    }
    with closing(Database(settings)) as database:
        if not database.run(NOTE, values):
            raise NonRecoverableError(
                f"The agent {agent.name} cannot be noted: another has the name, or its machine is gone."
            )


def forget(settings: DatabaseSettings, agent: Installed) -> None:
    """Have it in the table no longer. Raises ``DatabaseError``."""
    with closing(Database(settings)) as database:
        database.run(FORGET, _names(agent))


def _names(agent: Installed) -> dict[str, str]:
    return {"name": agent.name, "instance": agent.instance, "tenant": agent.tenant}
