"""Running PostgreSQL's programs to their end, as the right OS user."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from orchestrator.clients.programs import postgres_bin_dir
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConfigurationError, DatabaseUnavailable, Unfinished


@dataclass(frozen=True, slots=True)
class Account:
    """An OS user. ``switch``: this process is another one and has to change to it."""

    name: str
    uid: int
    gid: int
    switch: bool


def invoking_user() -> str:
    """The name of the OS user that this process runs as."""
    return pwd.getpwuid(os.geteuid()).pw_name


def server_account(config: NodeConfig) -> Account:
    """Whom PostgreSQL runs as. Raises ``ConfigurationError`` when that would be root, or nobody known."""
    name = config.postgres.os_user or invoking_user()
    if os.geteuid() != 0:
        name = invoking_user()
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ConfigurationError(f"postgres.os_user: there is no OS user {name!r} on this machine.") from None
    if entry.pw_uid == 0:
        raise ConfigurationError("postgres.os_user: PostgreSQL does not run as root; name another OS user.")
    return Account(name, entry.pw_uid, entry.pw_gid, switch=os.geteuid() != entry.pw_uid)


def _own_account() -> Account:
    return Account(invoking_user(), os.geteuid(), os.getegid(), switch=False)


def run(  # noqa: PLR0913 - what to run, and how
    config: NodeConfig,
    program: str,
    arguments: Sequence[str],
    *,
    timeout_s: float,
    stdin: str = "",
    as_server: bool = True,
) -> str:
    """Run a program of PostgreSQL's to its end, and give its output.

    ``as_server``: as PostgreSQL's OS user, otherwise as the user of this process. Raises
    ``DatabaseUnavailable`` with its last words when it fails, ``Unfinished`` when it takes too long.
    """
    account = server_account(config) if as_server else _own_account()
    command = [str(postgres_bin_dir(config) / program), *arguments]
    with TemporaryFile("w+") as output, TemporaryFile("w+") as complaints:
        process = _spawn(command, account, output, complaints)
        try:
            process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise Unfinished(f"{program} was not done after {timeout_s:g} s.") from error
        finally:
            _end_group(process)
        if process.returncode != 0:
            last_words = "".join(_lines(complaints)[-5:]).strip()
            raise DatabaseUnavailable(f"{program} failed ({process.returncode}): {last_words}")
        return "".join(_lines(output))


def _spawn(
    command: list[str], account: Account, output: IO[str], complaints: IO[str]
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=complaints,
            text=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=[] if account.switch else None,
            process_group=0,
        )
    except OSError as error:
        raise DatabaseUnavailable(f"{command[0]} cannot be run: {error}") from error


def _lines(file: IO[str]) -> list[str]:
    file.seek(0)
    return file.readlines()


def _end_group(process: subprocess.Popen[str]) -> None:
    """A program may leave a child behind when it is ended: pg_basebackup leaves the one that streams."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_leftovers(argument: str) -> None:
    """End programs of ours that have outlived whoever ran them: those with an argument that begins so."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_text().split("\0")
            if any(word.startswith(argument) for word in arguments):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue  # It has ended by itself, or belongs to somebody else.


def control_data(config: NodeConfig) -> dict[str, str]:
    """What ``pg_controldata`` says of the database, label by label. Raises ``DatabaseUnavailable``."""
    output = run(config, "pg_controldata", [str(config.paths.postgres_data)], timeout_s=10)
    pairs = (line.partition(":") for line in output.splitlines())
    return {label.strip(): value.strip() for label, _, value in pairs}
