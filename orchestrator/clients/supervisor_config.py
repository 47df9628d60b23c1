"""The configuration of the supervisord that runs a node's services where there is no systemd."""

from __future__ import annotations

import math
import os
import pwd
import shlex
from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.clients.programs import Program, programs
from orchestrator.config import CONFIG_VARIABLE, NodeConfig

LOG_BYTES = 10_000_000
NEVER_GIVE_UP = 1_000_000_000


def supervisor_file(config: NodeConfig) -> Path:
    """Where the configuration lies."""
    return config.paths.etc / "supervisord.conf"


def pid_file(config: NodeConfig) -> Path:
    """Where supervisord keeps its process id."""
    return config.paths.run / "supervisord.pid"


def write(config: NodeConfig, config_file: Path, *, member: bool) -> Path:
    """Write the configuration of the node that ``config_file`` configures, and return where it is.

    Raises ``ConfigurationError`` when a server is not installed.
    """
    path = supervisor_file(config)
    write_atomically(path, render(config, config_file, member=member), durable=False)
    return path


def render(config: NodeConfig, config_file: Path, *, member: bool) -> str:
    """The text of the configuration; ``member``: the node's Consul starts with it."""
    sections = [_supervisord(config, config_file), _control(config)]
    sections += [_program(program, config) for program in programs(config, member=member)]
    return "\n".join(sections)


def _supervisord(config: NodeConfig, config_file: Path) -> str:
    settings = {
        "nodaemon": "false",
        "pidfile": pid_file(config),
        "logfile": config.paths.log / "supervisord.log",
        "logfile_maxbytes": LOG_BYTES,
        "logfile_backups": 1,
        "loglevel": "info",
        "childlogdir": config.paths.log,
        "directory": config.paths.state,
        "umask": "077",
        # Every process of the node carries this, and is recognised by it (clients/processes.py).
        "environment": f'{CONFIG_VARIABLE}="{config_file}"',
    }
    if os.geteuid() == 0:
        # To say that staying root is meant: without this supervisord warns of it at every start.
        settings["user"] = "root"
    return _section("supervisord", settings)


def _control(config: NodeConfig) -> str:
    socket = config.paths.supervisor_socket
    interface = "supervisor.rpcinterface:make_main_rpcinterface"
    return "\n".join(
        (
            _section("unix_http_server", {"file": socket, "chmod": "0700"}),
            _section("rpcinterface:supervisor", {"supervisor.rpcinterface_factory": interface}),
            _section("supervisorctl", {"serverurl": f"unix://{socket}"}),
        )
    )


def _program(program: Program, config: NodeConfig) -> str:
    settings = {
        "command": shlex.join(program.command),
        "autostart": str(program.autostart).lower(),
        "autorestart": str(program.autorestart).lower(),
        "startretries": NEVER_GIVE_UP if program.autorestart else 0,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": math.ceil(program.stop_wait_s),
        "redirect_stderr": "true",
        "stdout_logfile": config.paths.log / f"{program.name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": 1,
    }
    if program.user is not None:
        home = pwd.getpwnam(program.user).pw_dir
        settings |= {"user": program.user, "environment": f'HOME="{home}",USER="{program.user}"'}
    return _section(f"program:{program.name}", settings)


def _section(name: str, settings: dict[str, object]) -> str:
    lines = [f"{key} = {_escaped(value)}" for key, value in settings.items()]
    return "\n".join((f"[{name}]", *lines, ""))


def _escaped(value: object) -> str:
    # supervisord expands %(...)s wherever it stands.
    return str(value).replace("%", "%%")
