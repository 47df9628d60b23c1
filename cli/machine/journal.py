"""What systemd has kept of the output of a node's services, where it is systemd that runs them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import which
from typing import IO, Any

from cli.errors import CliError
from cli.machine.log_files import Wanted
from cli.machine.log_lines import Line, stamped

UNITS = Path("/etc/systemd/system")
PREFIX, SUFFIX = "cloudify-", ".service"
TIMEOUT_S = 30.0
TOGETHER_S = 0.5
"""Lines that a process writes at once, a traceback say, arrive within this time."""


def journal_services() -> frozenset[str]:
    """The services that systemd runs here; none where it runs none."""
    if which("journalctl") is None:
        return frozenset()
    return frozenset(_service(path.name) for path in UNITS.glob(f"{PREFIX}*{SUFFIX}"))


def last_entries(services: Iterable[str], wanted: Wanted) -> list[Line]:
    """The last lines of these services. Raises ``CliError``."""
    command = [*_command(services), f"--lines={wanted.last}"]
    if wanted.since_s:
        command.append(f"--since=@{wanted.since_s:.0f}")
    try:
        told = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CliError(f"systemd's journal cannot be read: {error}") from error
    if told.returncode and told.stderr:
        raise CliError(f"systemd's journal cannot be read: {told.stderr.strip()}", "Run this as root.")
    return Entries().lines(told.stdout.splitlines())


class FollowedJournal:
    """What the services say from now on; to be closed."""

    def __init__(self, services: Iterable[str]) -> None:
        self._process = subprocess.Popen(
            [*_command(services), "--follow", "--lines=0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._rest = b""
        self._entries = Entries()
        os.set_blocking(self._output.fileno(), False)

    def new_lines(self) -> list[Line]:
        """What was said since the last look. Raises ``CliError`` when journalctl has ended."""
        if self._process.poll() is not None:
            raise CliError("journalctl has ended.", "Run this again.")
        content = self._output.read() or b""
        *texts, self._rest = (self._rest + content).split(b"\n")
        return self._entries.lines(text.decode(errors="replace") for text in texts)

    def close(self) -> None:
        """End journalctl."""
        self._process.terminate()
        self._output.close()
        self._process.wait()

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 -- For mypy: it was asked for.
        return self._process.stdout


def _command(services: Iterable[str]) -> list[str]:
    units = [f"--unit={PREFIX}{service}{SUFFIX}" for service in sorted(services)]
    return ["journalctl", "--output=json", "--quiet", "--no-pager", *units]


class Entries:
    """Reads journalctl's entries. A line without a time belongs to the one that its process said before."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[float, float]] = {}

    def lines(self, texts: Iterable[str]) -> list[Line]:
        """The lines, in the order of time."""
        return sorted(map(self._line, map(json.loads, texts)), key=lambda line: line.at_s)

    def _line(self, entry: Mapping[str, Any]) -> Line:
        received_s = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        service = _service(entry.get("UNIT") or entry.get("_SYSTEMD_UNIT") or "")
        process = entry.get("_PID", "")
        at_s, text = stamped(_message(entry.get("MESSAGE")))
        if at_s is None:
            before_received_s, before_s = self._said.get(process, (0.0, 0.0))
            at_s = before_s if received_s - before_received_s < TOGETHER_S else received_s
        else:
            self._said[process] = received_s, at_s
        return Line(at_s, service, text)


def _service(unit: str) -> str:
    return unit.removeprefix(PREFIX).removesuffix(SUFFIX)


def _message(value: Any) -> str:
    # journald gives what is no text as a list of bytes, and several of them as a list of texts.
    match value:
        case [int(), *_]:
            return bytes(value).decode(errors="replace")
    return str(value or "")
