"""Real Consul servers on loopback addresses, with TLS and gossip key, as the product configures them."""

from __future__ import annotations

import os
import shutil
import signal
import socketserver
import subprocess
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from orchestrator.clients import consul_agent
from orchestrator.clients.consul import Consul
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.config import NodeConfig, Timing
from orchestrator.formation import pki
from orchestrator.paths import Paths
from tests.support import processes
from tests.support.waiting import eventually


def node_config(folder: Path, host_ip: str, **timing: float) -> NodeConfig:
    """A node below ``folder`` that is bound to ``host_ip``."""
    paths = Paths(etc=folder / "etc", state=folder / "state", run=folder / "run", log=folder / "log")
    return NodeConfig(host_ip=host_ip, api_host=host_ip, paths=paths, timing=Timing(**timing))


class Guard:
    """Something that accepts connections where the lease guard would."""

    def __init__(self, config: NodeConfig) -> None:
        self._server = socketserver.TCPServer(
            (config.host_ip, config.ports.guard), socketserver.BaseRequestHandler, bind_and_activate=False
        )
        self._server.allow_reuse_address = True
        self._server.server_bind()
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Refuse connections from now on; can be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


@dataclass
class ConsulServer:
    """One agent, running or not."""

    name: str
    config: NodeConfig
    process: subprocess.Popen[bytes] | None = None
    _log: ExitStack = field(default_factory=ExitStack)

    @property
    def client(self) -> Consul:
        """A fresh client of this agent."""
        return Consul(self.config, self.name)

    def start(self) -> None:
        """Start the agent; returns before it is ready."""
        self.config.paths.log.mkdir(parents=True, exist_ok=True)
        log = self._log.enter_context((self.config.paths.log / "consul.log").open("ab"))
        self.process = subprocess.Popen(
            consul_agent.command(self.config), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the agent."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def is_stopped(self) -> bool:
        """Whether the agent stands still, after it got the signal to."""
        assert self.process is not None
        return processes.is_stopped(self.process.pid)

    def stop(self) -> None:
        """Kill the agent, frozen or not; can be called twice."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self._log.close()


class ConsulServers:
    """Servers that form one Consul, the first being the founder. A context manager: leaves nothing behind."""

    def __init__(self, folder: Path, addresses: Iterable[str], **timing: float) -> None:
        self._folder = folder
        self.servers = [
            ConsulServer(f"n{number}", node_config(folder / f"n{number}", address, **timing))
            for number, address in enumerate(addresses, 1)
        ]

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                self._configure(server)
                server.start()
            eventually(self.complete, 30, "all servers vote")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __getitem__(self, place: int) -> ConsulServer:
        return self.servers[place]

    def __iter__(self):
        return iter(self.servers)

    def complete(self) -> bool:
        """Whether all servers vote, and each of them can confirm a read."""
        clients = [server.client for server in self.servers]
        return all(client.ready() for client in clients) and all(
            len(client.voters()) == len(clients) for client in clients
        )

    def stop(self) -> None:
        """Kill all agents and remove their data."""
        for server in self.servers:
            server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configure(self, server: ConsulServer) -> None:
        founder = self.servers[0]
        if server is founder:
            pki.ensure_ca(server.config.paths.ssl)
            self._gossip_key = consul_agent.new_gossip_key()
        else:
            pki.install_ca(server.config.paths.ssl, pki.read_ca(founder.config.paths.ssl))
        pki.issue(server.config, server.name)
        others = tuple(other.config.host_ip for other in self.servers if other is not server)
        settings = AgentSettings(server.name, self._gossip_key, server is founder, others)
        consul_agent.write(server.config, settings)
