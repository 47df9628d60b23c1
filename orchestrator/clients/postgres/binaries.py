"""Running PostgreSQL's programs to their end, as the right OS user."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

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


def run(
    config: NodeConfig, program: str, arguments: Sequence[str], *, timeout_s: float, stdin: str = ""
) -> str:
    """Run a program of PostgreSQL's as its OS user, and give its output.

    Raises ``DatabaseUnavailable`` with its last words when it fails, ``Unfinished`` when it takes too long.
    """
    account = server_account(config)
    command = [str(postgres_bin_dir(config) / program), *arguments]
    try:
        result = subprocess.run(  # noqa: PLW1510 - a failure becomes an error of ours
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=[] if account.switch else None,
        )
    except subprocess.TimeoutExpired as error:
        raise Unfinished(f"{program} was not done after {timeout_s:g} s.") from error
    except OSError as error:
        raise DatabaseUnavailable(f"{program} cannot be run: {error}") from error
    if result.returncode != 0:
        last_words = "\n".join(result.stderr.strip().splitlines()[-5:])
        raise DatabaseUnavailable(f"{program} failed ({result.returncode}): {last_words}")
    return result.stdout


def control_data(config: NodeConfig) -> dict[str, str]:
    """What ``pg_controldata`` says of the database, label by label. Raises ``DatabaseUnavailable``."""
    output = run(config, "pg_controldata", [str(config.paths.postgres_data)], timeout_s=10)
    pairs = (line.partition(":") for line in output.splitlines())
    return {label.strip(): value.strip() for label, _, value in pairs}
