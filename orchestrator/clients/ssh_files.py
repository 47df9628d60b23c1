"""The node's own SSH daemon: keys, configuration, and who may ask it for what.

No one can log in here: a member's key may do only what its forced command does.
"""

from __future__ import annotations

import getpass
import os
import shlex
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.clients import forced_command
from orchestrator.clients.files import write_atomically
from orchestrator.clients.programs import executable
from orchestrator.config import NodeConfig
from orchestrator.model.snapshot import Member

HOST_KEY = "host_key"
CLIENT_KEY = "client_key"
RSYNC_CONFIG = "rsyncd.conf"
MODULE = "files"

REFUSED = (
    *("copy-links", "copy-unsafe-links", "copy-dirlinks", "copy-devices", "remove-source-files", "devices"),
    *("specials", "backup", "log-file", "compress", "fuzzy", "compare-dest", "copy-dest", "link-dest"),
)
"""What a replica has no use for, and what could show more than the files themselves."""


def prepare(config: NodeConfig) -> None:
    """Have keys and the daemon's configuration in ``paths.ssh``. Keys that are there are kept."""
    config.paths.ssh.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (HOST_KEY, CLIENT_KEY):
        _ensure_key(config.paths.ssh / name)
    write_atomically(config.paths.ssh / "sshd_config", daemon_config(config))
    write_atomically(config.paths.ssh / RSYNC_CONFIG, rsync_config(config))
    _renew(config)


def public_key(config: NodeConfig, name: str) -> str:
    """The public half of this node's ``HOST_KEY`` or ``CLIENT_KEY``, as one line: type and base64."""
    return (config.paths.ssh / f"{name}.pub").read_text().strip()


def authorized_keys(config: NodeConfig) -> Path:
    """Where the daemon looks up which key may do what."""
    return config.paths.ssh / "authorized_keys"


def authorise(config: NodeConfig, members: Iterable[Member]) -> bool:
    """Let exactly these members do what the forced command does; whether that is a change."""
    return _let_in(config, (member.ssh_client_key.strip() for member in members if member.ssh_client_key))


def _renew(config: NodeConfig) -> None:
    """Whom an earlier version let in may do what this one's forced command does: its arguments are others."""
    path = authorized_keys(config)
    lines = path.read_text().splitlines() if path.exists() else []
    # A key is its type and base64, as ``public_key`` gives it, at the end of its line.
    _let_in(config, (" ".join(line.split()[-2:]) for line in lines))


def _let_in(config: NodeConfig, keys: Iterable[str]) -> bool:
    text = "".join(f"{_restriction(config)} {key}\n" for key in sorted(keys))
    path = authorized_keys(config)
    if path.exists() and path.read_text() == text:
        return False
    write_atomically(path, text)
    return True


def _restriction(config: NodeConfig) -> str:
    script = str(Path(forced_command.__file__).resolve())
    paths = config.paths
    files = (paths.lease_file, paths.promise_file, paths.word_file, paths.postgres_data, paths.files)
    node = tuple(map(str, files))
    # Isolated, and without site packages: it reads nothing of the user's environment, and starts fast.
    rsync = (executable("rsync"), str(config.paths.ssh / RSYNC_CONFIG))
    command = shlex.join((sys.executable, "-I", "-S", script, *node, *rsync))
    return 'restrict,command="{}"'.format(command.replace('"', r"\""))


def daemon_config(config: NodeConfig) -> str:
    """The text of ``sshd_config``."""
    keys = authorized_keys(config)
    settings = {
        "Port": config.ports.ssh,
        "ListenAddress": config.host_ip,
        "HostKey": config.paths.ssh / HOST_KEY,
        "PidFile": "none",
        "AllowUsers": getpass.getuser(),
        "PermitRootLogin": "forced-commands-only",
        "AuthenticationMethods": "publickey",
        "AuthorizedKeysFile": keys,
        # sshd refuses key files below a folder that others may write to. A demo may keep them below /var/tmp,
        # whose sticky bit protects them as well; sshd does not look at that bit.
        "StrictModes": "yes" if _private(keys) else "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "UseDNS": "no",
        "PermitTTY": "no",
        "PermitUserRC": "no",
        "PermitUserEnvironment": "no",
        # sshd has the user's shell run a command, and bash would read the user's ~/.bashrc first, however
        # long that takes, if it took itself for a first shell (its manual, "Invocation").
        "SetEnv": "SHLVL=1",
        "DisableForwarding": "yes",
        "PrintMotd": "no",
        "LoginGraceTime": 10,
        "LogLevel": "ERROR",
    }
    return "".join(f"{name} {_quoted(value)}\n" for name, value in settings.items())


def rsync_config(config: NodeConfig) -> str:
    """The text of ``rsyncd.conf``: one module, read only, and no option that follows links out of it."""
    settings = {
        # Only root may change its root; paths are kept within the module in any case (rsyncd.conf(5)).
        "use chroot": "no",
        "munge symlinks": "no",
        **_served_as(),
        "read only": "yes",
        "list": "no",
        "refuse options": " ".join(REFUSED),
        "timeout": 30,
        "log file": "/dev/null",
        "max verbosity": 1,
        "path": config.paths.files,
    }
    return f"[{MODULE}]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())


def _served_as() -> dict[str, int]:
    # Root would serve as nobody otherwise. Anyone else serves as himself, and may not even be told to: rsync
    # sets the groups then, which only root may.
    return {"uid": os.geteuid(), "gid": os.getegid()} if os.geteuid() == 0 else {}


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text


def _private(path: Path) -> bool:
    """Whether no folder above ``path`` can be written by others than its owner."""
    return not any(folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) for folder in path.parents)


def _ensure_key(path: Path) -> None:
    if path.exists():
        return
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    # The private half comes last: it is what tells that the pair is complete.
    write_atomically(path.with_name(f"{path.name}.pub"), f"{public.decode()}\n", mode=0o644)
    write_atomically(path, private.decode())
