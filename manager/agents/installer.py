"""The operations that bring an agent onto a machine, and take it away (``cloudify_agent`` of its node).

They run on the manager, and work over SSH as ``agent_config`` says. Each of them can be repeated, and mends
what one left that was killed: code is put in place as a whole or not at all, files are replaced, and whether
an agent runs is looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from celery import Celery
from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError, RecoverableError

from manager.agents import packing, records
from manager.agents.shell import Machine
from manager.gateway.agents import Surroundings, surroundings
from manager.operations.agents import DESCRIBE, hostname
from manager.operations.app import make_app
from manager.operations.settings import BrokerSettings
from manager.operations.ssh_connection import connected, target_of

Json = dict[str, Any]

NONE, REMOTE = "none", "remote"
METHODS = (NONE, REMOTE, "init_script", "provided", "plugin")
DETACH = "detach"
PROPERTY = "cloudify_agent"
ANSWER_S = 60.0
PING_S = 1.0
PRIVATE_KEY = "-----BEGIN"

CFY_AGENT = """#!/bin/sh
exec {python} -I {home}/lib --folder {home}/state "$@"
"""
CTX = """#!/bin/sh
exec {python} -I -c 'import sys; sys.path.insert(0, "{home}/lib")
from cloudify.proxy.client import main; main()' "$@"
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which agent, and how it is reached."""

    name: str
    tenant: str
    instance: str
    ip: str
    method: str
    config: Mapping[str, Any]

    @classmethod
    def of(cls, ctx: Any, given: Mapping[str, Any] | None) -> Plan:
        """From the properties of the machine's node. Raises ``NonRecoverableError``."""
        properties = ctx.node.properties
        config = {**(properties.get("agent_config") or {}), **(given or {})}
        wanted = properties.get("install_agent")
        method = str(config.get("install_method") or REMOTE)
        if isinstance(wanted, bool) and not wanted:
            method = NONE
        if method not in METHODS:
            raise NonRecoverableError(
                f"There is no install_method '{method}': it is one of {', '.join(METHODS)}."
            )
        known = ctx.instance.runtime_properties.get(PROPERTY) or {}
        name = str(known.get("name") or ctx.instance.id)
        ip = "" if method == NONE else str(config.get("ip") or ctx.instance.host_ip)
        return cls(name, ctx.tenant_name, ctx.instance.id, ip, method, config)

    @property
    def folder(self) -> str:
        """Where it lives over there."""
        return f"{self.config.get('basedir') or 'cfy_agents'}/{self.name}"

    @property
    def fabric_env(self) -> Json:
        """How to log in, as other operations over SSH are told."""
        config = self.config
        key = str(config.get("key") or "")
        named = {"key": key} if key.startswith(PRIVATE_KEY) else {"key_filename": key}
        more = {name: config.get(name) for name in ("user", "password", "port", "host_key", "key_password")}
        return {"host": self.ip, **(named if key else {}), **{k: v for k, v in more.items() if v}}


@operation(resumable=True)
def create(ctx: Any, agent_config: Json | None = None, **_: Any) -> None:
    """Carry the agent's code to the machine, unless it is there."""
    plan = Plan.of(ctx, agent_config)
    if plan.method == REMOTE:
        with _machine(ctx, plan) as machine:
            _carry(ctx, machine)


@operation(resumable=True)
def configure(ctx: Any, agent_config: Json | None = None, **_: Any) -> None:
    """Write the agent's settings, and note it."""
    plan = Plan.of(ctx, agent_config)
    if plan.method == NONE:
        return
    around = surroundings()
    if plan.method == REMOTE:
        with _machine(ctx, plan) as machine:
            _carry(ctx, machine)
            machine.write("state/settings.json", settings_for(plan, around))
            machine.write("state/ca.pem", around.ca_file.read_text())
    records.note(around.database, plan, "configured")
    ctx.instance.runtime_properties[PROPERTY] = {"name": plan.name, "install_method": plan.method}


@operation(resumable=True)
def start(ctx: Any, agent_config: Json | None = None, **_: Any) -> None:
    """Start the agent, and wait until it answers; one that comes by other ways is waited for."""
    plan = Plan.of(ctx, agent_config)
    if plan.method == NONE:
        return
    around = surroundings()
    if plan.method == REMOTE:
        with _machine(ctx, plan) as machine:
            machine.agent("start")
    else:
        ctx.logger.info(
            "Waiting for the agent %s, which somebody else brings to %s: it is to be configured by that name",
            plan.name,
            plan.ip,
        )
    told = wait_for(plan.name, around)
    records.note(around.database, plan, "started", told)
    ctx.logger.info("Agent %s runs version %s on %s", plan.name, told["version"], told["system"])


@operation(resumable=True)
def stop(ctx: Any, agent_config: Json | None = None, **_: Any) -> None:
    """Stop the agent."""
    plan = Plan.of(ctx, agent_config)
    if plan.method == REMOTE:
        with _machine(ctx, plan) as machine:
            if machine.carried():
                machine.agent("stop")
    if plan.method != NONE:
        records.note(surroundings().database, plan, "stopped")


@operation(resumable=True)
def delete(ctx: Any, agent_config: Json | None = None, **_: Any) -> None:
    """Remove the agent from the machine, and forget it."""
    plan = Plan.of(ctx, agent_config)
    if plan.method == REMOTE:
        with _machine(ctx, plan) as machine:
            machine.remove()
    if plan.method != NONE:
        records.forget(surroundings().database, plan)
    ctx.instance.runtime_properties.pop(PROPERTY, None)


@operation(resumable=True)
def restart(ctx: Any, agent_config: Json | None = None, **_: Any) -> None:
    """Stop it and start it."""
    stop(ctx=ctx, agent_config=agent_config)
    start(ctx=ctx, agent_config=agent_config)


@operation(resumable=True)
def validate(ctx: Any, agent_config: Json | None = None, **_: Any) -> Json:
    """Whether the agent answers; gives what it says of itself. One that does not has failed."""
    plan = Plan.of(ctx, agent_config)
    if plan.method == NONE:
        return {}
    around = surroundings()
    try:
        told = wait_for(plan.name, around)
    except RecoverableError as error:
        raise NonRecoverableError(str(error)) from error
    records.note(around.database, plan, "started", told)
    return told


def settings_for(plan: Plan, around: Surroundings) -> str:
    """What the agent is to know: see ``agent.settings``."""
    workers = plan.config.get("max_workers")
    managed = plan.config.get("process_management") or {}
    told = {
        "name": plan.name,
        "members": sorted(around.members()),
        "broker_password": around.broker_password,
        "broker_port": around.broker_port,
        "rest_port": around.rest_port,
        "rest_protocol": around.rest_protocol,
        "detached": managed.get("name") == DETACH,
        **({"max_workers": int(workers)} if workers else {}),
    }
    return json.dumps(told, indent=1) + "\n"


def wait_for(name: str, around: Surroundings) -> Json:
    """What the agent says of itself. Raises ``RecoverableError`` when it says nothing."""
    app = app_for(around)
    until_s = time.monotonic() + ANSWER_S
    try:
        while time.monotonic() < until_s:
            said = app.control.broadcast(
                DESCRIBE, destination=[hostname(name)], reply=True, timeout=PING_S, limit=1
            )
            if said:
                found: Json = next(iter(said[0].values()))
                return found
    finally:
        app.close()
    raise RecoverableError(
        f"The agent {name} does not answer through the broker of {around.host}. See agent.log in its folder."
    )


def app_for(around: Surroundings) -> Celery:
    """What speaks to agents, through this manager's broker."""
    broker = BrokerSettings(around.host, around.broker_port, around.broker_password, around.ca_file)
    return make_app(broker)


def _carry(ctx: Any, machine: Machine) -> None:
    python = machine.python(packing.Platform.here())
    if machine.carried() != packing.digest():
        ctx.logger.info("Carrying the agent to %s", machine.home)
        with packing.pack() as package:
            machine.carry(package, packing.digest())
    for name, program in (("cfy_agent", CFY_AGENT), ("ctx", CTX)):
        machine.write(f"bin/{name}", program.format(python=python, home=machine.home), "700")


@contextmanager
def _machine(ctx: Any, plan: Plan) -> Iterator[Machine]:
    with connected(ctx, target_of(ctx, plan.fabric_env)) as connection:
        yield Machine(connection, plan.folder)
