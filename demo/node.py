"""One node of a bed: a manager with all its processes, which can be started, stopped, killed and frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from demo.places import PORTS, database_user, make_private, remove_tree
from demo.shared_memory import IN_FILES, remove_left_behind
from orchestrator import wiring
from orchestrator.clients import Clients, processes, supervisord
from orchestrator.clients.processes import Process
from orchestrator.config import CONFIG_VARIABLE, NodeConfig, load
from orchestrator.formation import node as installation
from orchestrator.model.errors import DatabaseUnavailable, Unfinished
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership

SIGNAL_TIMEOUT_S = 10.0
MIGRATE_TIMEOUT_S = 60.0
STOPPED = "tT"

Settings = Mapping[str, Mapping[str, Any]]
"""Sections of a configuration file: ``{"timing": {"heartbeat_ttl_s": 5}}``."""


class Node:
    """A manager on a loopback address of its own: folders below ``home``, sockets below ``run``."""

    def __init__(self, name: str, host_ip: str, home: Path, run: Path) -> None:
        self.name, self.host_ip = name, host_ip
        self.home, self.run = home / name, run / name
        self.config_file = self.home / "etc" / "manager.toml"

    @property
    def config(self) -> NodeConfig:
        """The node's configuration, as it is on file."""
        return load(self.config_file)

    @property
    def clients(self) -> Clients:
        """What a process of this node would reach the rest of it with."""
        return wiring.clients_of(self.config)

    def install(self, settings: Settings) -> None:
        """Make the folders and everything in them, as ``cfy_manager install`` does; nothing is started."""
        for folder in (self.home, self.run, self.config_file.parent):
            make_private(folder)
        self.config_file.write_text(self._configuration(settings))
        self.config_file.chmod(0o600)
        installation.prepare(self.config)

    def start(self) -> None:
        """Start the node's services; those that belong to a cluster only when it belongs to one.

        Copes with whatever an earlier life has left behind. Nothing happens when the node runs.
        """
        config = self.config
        state = membership.read(config.paths.membership_file).state
        installation.make_folders(config)
        supervisord.start(config, self.config_file, member=state is MembershipState.MEMBER)
        if state is MembershipState.ALONE:
            self._migrate()

    def _migrate(self) -> None:
        """Have the tables of the product, as an installation ends with it; those that are there are kept."""
        self.clients.postgres.start(standby=False)
        # The administrator's password lies in the node's folder; one in the environment is for elsewhere.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDIFY_")}
        environment[CONFIG_VARIABLE] = str(self.config_file)
        command = [sys.executable, "-m", "manager.migrate"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=MIGRATE_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise DatabaseUnavailable(f"{self.name}: the tables cannot be made: {done.stderr[-500:]}")

    def stop(self) -> None:
        """Stop the node in an orderly way. Nothing happens when it does not run."""
        supervisord.stop(self.config, self.config_file)

    def running(self) -> bool:
        """Whether the node's services are under control (each of them may still be down)."""
        return supervisord.is_running(self.config)

    def processes(self) -> tuple[Process, ...]:
        """Every living process of the node."""
        return processes.of_node(self.config, self.config_file)

    def pids(self) -> dict[int, str]:
        """The process ids of the node, each with its program's name."""
        return {process.pid: process.program for process in self.processes()}

    def kill(self, *, include_consul: bool = True) -> None:
        """Kill every process of the node at once, as if the machine died (or all of it but Consul).

        Raises ``Unfinished`` when something does not die.
        """
        # supervisord first, so that it does not start again what is being killed.
        self._signal_until_none(signal.SIGKILL, lambda process: include_consul or process.program != "consul")

    def freeze(self) -> None:
        """Stop every process of the node where it stands, as a machine does that hangs."""
        self._signal_until_none(signal.SIGSTOP, lambda process: process.state not in STOPPED)

    def thaw(self) -> None:
        """Let a frozen node go on as if nothing had happened."""
        self._signal_until_none(signal.SIGCONT, lambda process: process.state in STOPPED)

    def destroy(self) -> None:
        """Kill the node and remove all that there is of it, also when it was never complete."""
        if self.config_file.exists():
            self.kill()
            remove_left_behind(self.config.paths.postgres_data)
        remove_tree(self.home)
        remove_tree(self.run)

    def _signal_until_none(self, number: signal.Signals, concerns: Callable[[Process], bool]) -> None:
        # Repeated, because a process may have forked while the list of them was made.
        deadline_s = time.monotonic() + SIGNAL_TIMEOUT_S
        config = self.config
        while concerned := [process for process in self.processes() if concerns(process)]:
            if time.monotonic() > deadline_s:
                raise Unfinished(f"{number.name} had no effect on {', '.join(map(str, concerned))}")
            for process in sorted(concerned, key=lambda each: not processes.is_supervisord(each, config)):
                processes.send(process, number)

    def _configuration(self, settings: Settings) -> str:
        own: dict[str, dict[str, Any]] = {
            "": {"host_ip": self.host_ip, "api_host": self.host_ip},
            "paths": {
                **{name: str(self.home / name) for name in ("etc", "state", "log")},
                "run": str(self.run),
            },
            "ports": PORTS.model_dump(),
            "postgres": {"os_user": user} if (user := database_user()) else {},
            "postgres.settings": IN_FILES,
        }
        sections = {name: {**own.get(name, {}), **settings.get(name, {})} for name in {**own, **settings}}
        return "\n".join(_section(name, values) for name, values in sections.items() if values)


def _section(name: str, values: Mapping[str, Any]) -> str:
    # Strings, numbers, truth values and lists are written alike in JSON and in TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]" if name else "# Written by demo/node.py.", *lines, ""])
