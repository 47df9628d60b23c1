"""What an installation touches on a machine, and the few ways in which it does so."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from installer.report import InstallError
from orchestrator.clients.files import write_atomically
from orchestrator.clients.systemd import TRAMPOLINE, UNITS
from orchestrator.config import CONFIG_VARIABLE, NodeConfig

ACCOUNT = "cfyuser"
CONSUL_ACCOUNT = "cfyuser_consul"
SUDOERS = Path("/etc/sudoers.d/cloudify")
TMPFILES = Path("/etc/tmpfiles.d/cloudify.conf")
COMMAND_TIMEOUT_S = 120.0

PASSABLE, OWN, PASSABLE_FOR_GROUP = 0o711, 0o750, 0o710
"""PostgreSQL's tools and rsync pass through the folders; what is in them is closed to others."""

__all__ = ["ACCOUNT", "SUDOERS", "TMPFILES", "TRAMPOLINE", "UNITS"]


def run(*command: str, account: str | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Run a command to its end, as root or as ``account``; gives its output.

    Raises ``InstallError`` with its last words.
    """
    user = pwd.getpwnam(account) if account else None
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
    }
    if user is not None:
        environment |= {"HOME": user.pw_dir, "USER": user.pw_name}
    try:
        done = subprocess.run(
            command,
            env=environment | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=COMMAND_TIMEOUT_S,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=os.getgrouplist(user.pw_name, user.pw_gid) if user else None,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{command[0]}: {error}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-1000:]
        raise InstallError(f"{' '.join(command[:4])} failed ({done.returncode}): {words}")
    return done.stdout


def as_node(config_file: Path, *command: str, **variables: str) -> str:
    """Run a command as the manager's own user, for the node of ``config_file``."""
    return run(*command, account=ACCOUNT, variables={CONFIG_VARIABLE: str(config_file), **variables})


def systemctl(*words: str) -> str:
    """Ask systemd for something, and wait until it is done."""
    return run("systemctl", *words)


def make_accounts() -> None:
    """Have the users that everything runs as, with a group each. Nobody can log in as one with a password."""
    # sshd runs a key's one command through the shell. And it takes "!" for an account that is locked.
    _make_account(ACCOUNT, "/bin/sh")
    _make_account(CONSUL_ACCOUNT, "/usr/sbin/nologin")
    # What the manager's user shares with Consul is of that group.
    run("usermod", "--append", "--groups", CONSUL_ACCOUNT, ACCOUNT)


def _make_account(name: str, shell: str) -> None:
    with suppress(KeyError):
        pwd.getpwnam(name)
        return
    run(
        *("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
        *("--shell", shell, "--password", "*", name),
    )


def remove_accounts() -> None:
    """Remove the users, and their groups with them."""
    for name in (ACCOUNT, CONSUL_ACCOUNT):
        with suppress(KeyError):
            pwd.getpwnam(name)
            run("userdel", name)
        with suppress(KeyError):
            grp.getgrnam(name)
            run("groupdel", name)


def make_folders(config: NodeConfig) -> None:
    """Have the node's folders, and give them to its user."""
    user = pwd.getpwnam(ACCOUNT)
    for folder, mode in ((config.paths.etc, PASSABLE), *((each, OWN) for each in _own(config))):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(mode)
    _make_home_of_consul(config.paths.consul_data)


def _make_home_of_consul(data: Path) -> None:
    """Have Consul's data folder. One that is there keeps its owner: Consul may be running as him."""
    if data.exists():
        return
    consul = pwd.getpwnam(CONSUL_ACCOUNT)
    data.mkdir()
    # "consul validate", which the manager's user runs, looks whether older data are there.
    give(data, consul.pw_uid, consul.pw_gid, PASSABLE_FOR_GROUP)


def give(path: Path, user: int, group: int, mode: int) -> None:
    """Set owner and mode of a file or folder. Raises ``OSError`` for a link.

    The manager's user can put links where root does this, and shall not get with one what is root's.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, user, group)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def consul_account(config: NodeConfig) -> str:
    """Who Consul runs as: a user of its own, but on members that an earlier version has made."""
    owner = config.paths.consul_data.lstat().st_uid
    # The manager's user may put anything there: it shall not choose who else Consul runs as.
    return CONSUL_ACCOUNT if owner == pwd.getpwnam(CONSUL_ACCOUNT).pw_uid else ACCOUNT


def _own(config: NodeConfig) -> Sequence[Path]:
    return (config.paths.state, config.paths.log, config.paths.run)


def write(path: Path, text: str, mode: int, group: str = "root") -> bool:
    """Have a file of root's with just this text; whether it was another one before."""
    changed = not path.exists() or path.read_text() != text
    if changed:
        write_atomically(path, text, mode=mode)
    give(path, 0, grp.getgrnam(group).gr_gid, mode)
    return changed


def remove(*paths: Path) -> None:
    """Remove files and whole folders; those that are not there are none."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
