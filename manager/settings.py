"""What the REST service has to know of its node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from manager.files.folders import Folders

DATABASE = USER = "cloudify"


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the database listens: a socket in ``socket_folder``, named by ``port``."""

    socket_folder: Path
    port: int
    connect_timeout_s: float = 2.0


@dataclass(frozen=True, slots=True)
class LoginRules:
    """What a new password has to be like, and how many wrong ones in a row lock a user out, for how long.

    ``failures_before_lock`` 0: any number.
    """

    min_password_length: int = 8
    failures_before_lock: int = 4
    lock_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """``certificate`` and ``key`` are None for plain HTTP.

    ``election_hold_s``: for how long a request may wait for the end of an election.
    ``commit_limit_s``: for how long a client waits for a commit, before its connection is closed without
    an answer.
    """

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    database: DatabaseSettings
    folders: Folders
    logins: LoginRules = LoginRules()
    election_hold_s: float = 2.0
    commit_limit_s: float = 30.0
