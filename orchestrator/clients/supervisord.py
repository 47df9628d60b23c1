"""Starting and stopping all of a node's services at once, where there is no systemd."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.clients import processes, supervisor_config
from orchestrator.clients.services import SupervisorServices
from orchestrator.config import CONFIG_VARIABLE, NodeConfig
from orchestrator.model.errors import ServicesUnavailable

START_TIMEOUT_S = 20.0
PATIENCE_S = 5.0
POLL_S = 0.05

PRELOADED = "tasks.preload,manager.workflows.__main__"
"""What is imported once for all the services that are written in Python, and the smallest of them."""

MEMORY = {"MALLOC_ARENA_MAX": "1"}
"""For glibc, which otherwise takes memory for each thread apart."""

INHERITED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"),
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH"),
    }
)
"""What a node's processes get of the environment of whoever starts it. Nothing else: a PGHOST or a
CONSUL_HTTP_ADDR of a user's shell would lead them astray, and a secret in it is none of their business."""


def start(config: NodeConfig, config_file: Path, *, member: bool) -> bool:
    """Start supervisord and with it the node's services; False when it runs already.

    ``member``: the node belongs to a cluster, so Consul starts with the rest. What an earlier life of the
    node has left behind (it may have been killed) is ended first. Raises ``ServicesUnavailable`` when
    supervisord does not come up, and ``ConfigurationError`` when a server is not installed.
    """
    if is_running(config):
        return False
    clear_leftovers(config, config_file)
    path = supervisor_config.write(config, config_file, member=member)
    for folder in (config.paths.run, config.paths.log, config.paths.state):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _launch(path, config_file)
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not is_running(config):
        if time.monotonic() > deadline_s:
            raise ServicesUnavailable(f"supervisord does not answer after {START_TIMEOUT_S:g} s")
        time.sleep(POLL_S)
    return True


def stop(config: NodeConfig, config_file: Path) -> None:
    """Stop all the services, each in its own way, and supervisord. Nothing happens when none runs.

    Raises ``ServicesUnavailable`` when something cannot be ended.
    """
    if is_running(config):
        SupervisorServices(config).shut_down()
        deadline_s = time.monotonic() + config.postgres.stop_timeout_s + PATIENCE_S
        while processes.of_node(config, config_file) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
    clear_leftovers(config, config_file)


def is_running(config: NodeConfig) -> bool:
    """Whether the node's supervisord answers."""
    try:
        return SupervisorServices(config).pid() > 0
    except ServicesUnavailable:
        return False


def clear_leftovers(config: NodeConfig, config_file: Path) -> None:
    """End every process of the node, and remove what would make its servers believe that they still run.

    Raises ``ServicesUnavailable`` when a process cannot be ended.
    """
    processes.end(lambda: processes.of_node(config, config_file), patience_s=PATIENCE_S)
    paths = config.paths
    for stale in (
        paths.supervisor_socket,
        supervisor_config.pid_file(config),
        # PostgreSQL refuses to start as long as the process id in one of these belongs to any process of its
        # user: by now another server, or its own remains that nobody has waited for yet. That no server of
        # this data folder runs has just been made sure.
        paths.postgres_data / "postmaster.pid",
        paths.run / f".s.PGSQL.{config.ports.postgres}.lock",
    ):
        stale.unlink(missing_ok=True)


def _launch(path: Path, config_file: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name in INHERITED}
    try:
        subprocess.run(
            [sys.executable, "-m", "orchestrator.clients.forking_supervisord", PRELOADED, "-c", str(path)],
            # A service that is forked keeps this environment in the eyes of the kernel, and is known by it.
            env=environment | MEMORY | {CONFIG_VARIABLE: str(config_file), "SUPERVISOR_ENABLED": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise ServicesUnavailable(f"supervisord does not start: {error.stdout}{error.stderr}") from error
    except subprocess.TimeoutExpired as error:
        raise ServicesUnavailable(f"supervisord did not start within {START_TIMEOUT_S:g} s") from error
