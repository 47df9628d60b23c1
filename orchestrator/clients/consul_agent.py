"""The configuration of this node's Consul agent, for the version of Consul that is installed."""

from __future__ import annotations

import base64
import json
import re
import secrets
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.clients import consul_home
from orchestrator.clients.consul.checks import GUARD, guard_check
from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConfigurationError, ConsulUnavailable

BINARY = "consul"
COMMAND_TIMEOUT_S = 20.0
DISABLED = -1

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What differs between agents and moments.

    ``founder``: makes a cluster of its own when it has no data; only ever the first server, and only until
    the cluster is made. ``join``: addresses of the other members.
    """

    name: str
    gossip_key: str
    founder: bool = False
    join: tuple[str, ...] = ()
    raft_multiplier: int = 1

    def __repr__(self) -> str:
        return f"AgentSettings({self.name})"


def new_gossip_key() -> str:
    """A key that encrypts the gossip between agents."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def installed_version() -> Version:
    """The version of Consul on this machine. Raises ``ConsulUnavailable`` when there is none."""
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", _run("version").stdout)
    if not found:
        raise ConsulUnavailable(f"'{BINARY} version' does not say which version it is.")
    return int(found[1]), int(found[2]), int(found[3])


def agent_file(config: NodeConfig) -> Path:
    """The agent's configuration; a node without it has no Consul."""
    return config.paths.consul_etc / "agent.json"


def command(config: NodeConfig) -> list[str]:
    """How the agent is started."""
    return [BINARY, "agent", "-config-dir", str(config.paths.consul_etc)]


def configuration(config: NodeConfig, settings: AgentSettings, version: Version) -> dict[str, Any]:
    """The agent's configuration as Consul documents it ("Agents, Configuration")."""
    founding = {"bootstrap_expect": 1} if settings.founder else {}
    guard = guard_check(config)
    return {
        "datacenter": "dc1",
        "node_name": settings.name,
        "server": True,
        **founding,
        "data_dir": str(config.paths.consul_data),
        "bind_addr": config.host_ip,
        "advertise_addr": config.host_ip,
        "client_addr": config.api_host,
        "ports": _ports(config, version),
        "retry_join": _addresses(settings.join, config.ports.consul_serf),
        "retry_interval": "1s",
        "encrypt": settings.gossip_key,
        "encrypt_verify_incoming": True,
        "encrypt_verify_outgoing": True,
        **_tls(config, version),
        "performance": {
            "raft_multiplier": settings.raft_multiplier,
            # A request that waits longer for a leader than its client does is carried out when no one
            # reckons with it any more.
            "rpc_hold_timeout": "1s",
            "leave_drain_time": "500ms",
        },
        "gossip_lan": {
            "probe_interval": f"{config.gossip.probe_interval_ms}ms",
            "probe_timeout": f"{config.gossip.probe_timeout_ms}ms",
            "suspicion_mult": config.gossip.suspicion_mult,
        },
        # A dead server stays a server until its node is removed; and one that is back votes again soon,
        # because until then a second loss would cost the majority.
        "autopilot": {"cleanup_dead_servers": False, "server_stabilization_time": "200ms"},
        # An agent takes what it had registered for failing when it starts, until it has looked: then a leader
        # would lose its session with each restart of its agent. What stands here may begin as passing.
        "checks": [
            {"id": GUARD, "name": GUARD, "status": "passing", "notes": str(guard), **guard},
        ],
        "leave_on_terminate": False,
        "skip_leave_on_interrupt": True,
        "disable_update_check": True,
    }


def write(config: NodeConfig, settings: AgentSettings) -> None:
    """Write the configuration and have Consul check it. An agent that runs takes it at its next start.

    Raises ``ConfigurationError`` when Consul refuses it, ``ConsulUnavailable`` when Consul is not installed.
    """
    content = configuration(config, settings, installed_version())
    write_atomically(agent_file(config), json.dumps(content, indent=1) + "\n")
    consul_home.begin_life(config)
    consul_home.share(config, agent_file(config))
    _check(config)


def _check(config: NodeConfig) -> None:
    checked = _run("validate", "-quiet", str(config.paths.consul_etc))
    if checked.returncode != 0:
        raise ConfigurationError(f"{config.paths.consul_etc}: {(checked.stderr or checked.stdout).strip()}")


def read_gossip_key(config: NodeConfig) -> str:
    """The gossip key that this node's agent is configured with."""
    return str(json.loads(agent_file(config).read_bytes())["encrypt"])


def _ports(config: NodeConfig, version: Version) -> dict[str, int]:
    ports = {
        "server": config.ports.consul_server,
        "serf_lan": config.ports.consul_serf,
        "serf_wan": DISABLED,
        "https": config.ports.consul_api,
        "http": DISABLED,
        "dns": DISABLED,
        "grpc": DISABLED,
    }
    return {**ports, "grpc_tls": DISABLED} if version >= (1, 14, 0) else ports


def _tls(config: NodeConfig, version: Version) -> dict[str, object]:
    """Both sides of every connection show a certificate, the clients of the local API too."""
    ssl = config.paths.ssl
    files = {
        "ca_file": str(ssl / "ca.pem"),
        "cert_file": str(ssl / "node.pem"),
        "key_file": str(ssl / "node.key"),
        "verify_incoming": True,
        "verify_outgoing": True,
    }
    if version >= (1, 12, 0):
        return {"tls": {"defaults": files, "internal_rpc": {"verify_server_hostname": True}}}
    return {**files, "verify_server_hostname": True}


def _addresses(hosts: Iterable[str], port: int) -> list[str]:
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [BINARY, *arguments], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConsulUnavailable(f"'{BINARY} {arguments[0]}' cannot be run: {error}") from error
