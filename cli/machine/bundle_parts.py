"""The parts of a bundle, and how each is gathered. One that fails or hangs costs no other."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cli.errors import CliError
from cli.machine.node import CONFIG_VARIABLE, Node

FOLDERS = {
    "etc": "/etc/cloudify",
    "state": "/var/lib/cloudify",
    "run": "/run/cloudify",
    "log": "/var/log/cloudify",
}
COMMAND_TIMEOUT_S = 20.0
MOST_BYTES = 20 * 1024 * 1024
"""Of a file or an answer; it is the end of them that counts."""

HISTORY = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A file for the bundle, or why there is none. ``path`` is relative to its part."""

    path: str
    text: str = ""
    reason: str = ""


class Source:
    """Where the parts are taken from: a node that may be broken in any way."""

    def __init__(self, node: Node) -> None:
        self.node = node
        try:
            configured = node.config.get("paths", {})
        except CliError:
            configured = {}  # The part with the configuration tells why.
        self.folders = {name: Path(configured.get(name, usual)) for name, usual in FOLDERS.items()}

    def secret_places(self) -> list[Path]:
        """The folders in which secrets are kept."""
        return [self.folders["etc"], self.folders["state"] / "consul" / "serf", self.node.config_file.parent]

    def file(self, path: Path, name: str = "") -> Found:
        """The end of a file."""
        name = name or path.name
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - MOST_BYTES))
                return Found(name, file.read().decode(errors="replace"))
        except OSError as error:
            return Found(name, reason=error.strerror or str(error))

    def files(self, folder: Path, *patterns: str) -> Iterator[Found]:
        """The files of a folder, under their paths in it."""
        found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        yield from (self.file(path, str(path.relative_to(folder))) for path in found)
        if not folder.exists():
            yield Found("files", reason=f"there is no {folder}")

    def command(self, name: str, *words: str, user: int | None = None) -> Found:
        """What a command prints."""
        environment = {**os.environ, "LC_ALL": "C.UTF-8", CONFIG_VARIABLE: str(self.node.config_file)}
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", timeout=COMMAND_TIMEOUT_S, check=False, env=environment, cwd="/",
                user=user, group=user and self._group(), extra_groups=[] if user else None,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Found(name, reason=f"{words[0]} did not end within {COMMAND_TIMEOUT_S:.0f} s")
        except OSError as error:
            return Found(name, reason=f"{words[0]}: {error.strerror or error}")
        if done.returncode and not done.stdout.strip():
            return Found(name, reason=f"{words[0]} ended with {done.returncode}")
        return Found(name, done.stdout[-MOST_BYTES:])

    def view(self, what: str) -> Found:
        """What Consul or PostgreSQL says, asked by the node's own code as the node's own user."""
        found = self.command(what, sys.executable, "-m", "installer.views", what, user=self._owner())
        try:
            json.loads(found.text)
        except ValueError:
            return Found(what, reason=found.reason or found.text.strip()[-500:])
        return Found(f"{what}.json", found.text)

    def asked(self, name: str, task: str, **arguments: Any) -> Found:
        """What the node itself answers."""
        try:
            return Found(f"{name}.json", json.dumps(self.node.ask(task, **arguments), indent=1, default=str))
        except CliError as error:
            return Found(name, reason=error.message)

    def _owner(self) -> int | None:
        """Whom the node's processes run as, when this one may become that."""
        folder = self.folders["state"]
        return folder.stat().st_uid or None if os.geteuid() == 0 and folder.exists() else None

    def _group(self) -> int:
        return self.folders["state"].stat().st_gid


MACHINE: Mapping[str, tuple[str, ...]] = {
    "kernel": ("uname", "-a"),
    "system": ("cat", "/etc/os-release"),
    "uptime": ("uptime",),
    "disk": ("df", "-h"),
    "inodes": ("df", "-i"),
    "memory": ("free", "-m"),
    "processes": ("ps", "-eo", "user,pid,ppid,rss,etimes,stat,args", "--sort=-rss"),
    "sockets": ("ss", "-tuanp"),
    "addresses": ("ip", "address"),
    "routes": ("ip", "route"),
    "clock": ("timedatectl",),
    "kernel-messages": ("dmesg", "--ctime", "--level=emerg,alert,crit,err,warn"),
}
UNITS: Mapping[str, tuple[str, ...]] = {
    "list": ("systemctl", "list-units", "--all", "--full", "--no-pager", "cloudify-*"),
    "status": ("systemctl", "status", "--all", "--full", "--no-pager", "--lines=0", "cloudify-*"),
    "failed": ("systemctl", "--failed", "--no-pager"),
}
JOURNAL = (
    "journalctl",
    "--unit=cloudify-*",
    "--since=-7 days",
    "--lines=200000",
    "--no-pager",
    "-o",
    "short-iso",
)
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "consul": ("consul", "version"),
    "redis": ("redis-server", "--version"),
    "rsync": ("rsync", "--version"),
    "openssh": ("ssh", "-V"),
    "postgresql": ("sh", "-c", "for each in /usr/lib/postgresql/*/bin/postgres; do $each --version; done"),
}
STATE = ("*.json", "*.jsonl", "archives/*/manifest.json")


def _commands(table: Mapping[str, tuple[str, ...]]) -> Callable[[Source], Iterable[Found]]:
    return lambda source: (source.command(f"{name}.txt", *words) for name, words in table.items())


def _packages(_: Source) -> Iterator[Found]:
    names = sorted(f"{each.metadata['Name']}=={each.version}" for each in distributions())
    yield Found("python.txt", "\n".join([f"Python {platform.python_version()}", *names, ""]))


def _configuration(source: Source) -> Iterator[Found]:
    yield source.file(source.node.config_file)
    # Certificates are public; keys, and files that are nothing but a secret, are not even opened.
    yield from source.files(
        source.folders["etc"],
        "**/*.conf",
        "**/*.json",
        "**/*.pem",
        "**/*.pub",
        "ssh/sshd_config",
        "ssh/authorized_keys",
    )


def _units(source: Source) -> Iterator[Found]:
    yield from _commands(UNITS)(source)
    yield from source.files(Path("/etc/systemd/system"), "cloudify-*")


def _logs(source: Source) -> Iterator[Found]:
    yield from source.files(source.folders["log"], "*.log", "*.log.[0-9]", "postgres/*.log")
    yield source.command("journal.txt", *JOURNAL)


def _node(source: Source) -> Iterator[Found]:
    yield source.asked("status", "formation.status")
    yield source.asked("plan", "formation.plan")
    yield source.asked("history", "formation.history", limit=HISTORY)


PARTS: Mapping[str, Callable[[Source], Iterable[Found]]] = {
    "versions": lambda source: (*_packages(source), *_commands(VERSIONS)(source)),
    "configuration": _configuration,
    "machine": _commands(MACHINE),
    "units": _units,
    "state": lambda source: (
        *source.files(source.folders["state"], *STATE),
        *source.files(source.folders["run"], "*.json"),
    ),
    "node": _node,
    "consul": lambda source: iter([source.view("consul")]),
    "postgresql": lambda source: iter([source.view("postgres")]),
    "logs": _logs,
}
"""The name of each part, which is also its folder, and what gathers it. What may be large comes last."""
