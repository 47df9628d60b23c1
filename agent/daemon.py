"""Starts and stops the agent: by systemd where that rules the machine, else as a detached process."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent.settings import OWN_FILE, Folder, NotConfigured

TOP = Path(__file__).resolve().parents[1]
"""What was carried here is a program of its own; on a manager we are one of several packages."""

UNITS = Path("/etc/systemd/system")
BOOTED_BY_SYSTEMD = Path("/run/systemd/system")
START_S = 30.0
STOP_S = 15.0
COMMAND_S = 60.0
LOOK_EVERY_S = 0.1

UNIT = """\
[Unit]
Description=Cloudify agent {name}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
Restart=always
RestartSec=5
KillMode=control-group

[Install]
WantedBy=multi-user.target
"""


class DaemonFailed(Exception):
    """The agent could not be started or stopped. The message says why."""


def running(folder: Folder) -> int | None:
    """The process id of the agent; None when it does not run."""
    try:
        descriptor = os.open(folder.pid_file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            return int(text) if text else 0
        return None


def start(folder: Folder) -> None:
    """Have it running. Raises ``NotConfigured``, ``DaemonFailed``."""
    settings = folder.settings()
    name = settings.name
    if _by_systemd() and not settings.detached:
        unit = UNITS / _unit(name)
        unit.write_text(
            UNIT.format(
                name=name,
                command=shlex.join(_command(folder)),
            )
        )
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", unit.name)
    elif running(folder) is None:
        _detach(folder)
    _until(lambda: running(folder) is not None, START_S, f"The agent does not start: see {folder.log_file}.")


def stop(folder: Folder) -> None:
    """Have it stopped. Raises ``DaemonFailed``."""
    if _by_systemd():
        _stop_unit(folder)
    if pid := running(folder):
        os.kill(pid, signal.SIGTERM)
        try:
            _until(lambda: running(folder) is None, STOP_S, "")
        except DaemonFailed:
            os.kill(pid, signal.SIGKILL)
    _until(lambda: running(folder) is None, STOP_S, "The agent does not end.")


def _stop_unit(folder: Folder) -> None:
    try:
        unit = UNITS / _unit(folder.settings().name)
    except NotConfigured:
        return
    if unit.exists():
        _systemctl("disable", "--now", unit.name)
        unit.unlink()
        _systemctl("daemon-reload")


def _detach(folder: Folder) -> None:
    descriptor = os.open(folder.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWN_FILE)
    with os.fdopen(descriptor, "ab") as log:
        subprocess.Popen(
            _command(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


def _command(folder: Folder) -> list[str]:
    program = ["-I", str(TOP)] if (TOP / "__main__.py").is_file() else ["-m", "agent"]
    return [sys.executable, *program, "--folder", str(folder.path), "run"]


def _by_systemd() -> bool:
    return os.geteuid() == 0 and BOOTED_BY_SYSTEMD.is_dir()


def _unit(name: str) -> str:
    return f"cfy-agent-{name}.service"


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(
        ["systemctl", *arguments], capture_output=True, text=True, check=False, timeout=COMMAND_S
    )
    if done.returncode:
        raise DaemonFailed(f"systemctl {' '.join(arguments)} says: {done.stderr.strip()}")


def _until(happened: Callable[[], bool], within_s: float, otherwise: str) -> None:
    until_s = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > until_s:
            raise DaemonFailed(otherwise)
        time.sleep(LOOK_EVERY_S)
