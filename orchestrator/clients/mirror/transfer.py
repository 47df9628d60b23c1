"""Other members' files: rsync over SSH, pulled with a key that may read them and no more.

Both programs are the system's own: rsync finds what is different, sends parts of files and keeps permissions
better than anything written here would. All sessions with a member within some seconds share a connection.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address

from orchestrator.clients import forced_command, ssh_files
from orchestrator.clients.files import write_atomically
from orchestrator.clients.programs import executable
from orchestrator.config import NodeConfig
from orchestrator.model.errors import PeerUnavailable, Unfinished
from orchestrator.model.snapshot import Member

CONNECT_S = 5
KEEP_CONNECTION_S = 30
LIST_TIMEOUT_S = 30.0
COMPLAINT = 300

MANY = 200
"""So many names are mended in one run: rsync compares all that comes with all that was named."""

COMMON = ("-rlptgo", "--numeric-ids", "--timeout=30", "--8-bit-output")
TELLING = ("--out-format=%i %n",)
NAMED = ("--files-from=-", "--from0", "--ignore-missing-args", "--no-inc-recursive")
"""Without the last one rsync goes from folder to folder, with a question for each of them."""

ESCAPED = re.compile(r"\\#([0-7]{3})")
"""How rsync writes a character of a name that cannot be printed."""

VANISHED = 24
"""rsync's exit code when files were removed at the source while it read them."""


class Transfer:
    """Asks other members. ``lock``: a descriptor that every rsync is to hold open."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._timeout_s = config.files.transfer_timeout_s
        self.lock: int | None = None

    def units_of(self, member: Member) -> frozenset[str]:
        """See ``Mirror``."""
        answer, _ = self._run(
            [*self._ssh(member), member.host_ip, "units"], member, min(LIST_TIMEOUT_S, self._timeout_s)
        )
        try:
            listed = json.loads(answer)
        except ValueError:
            raise PeerUnavailable(f"{member.name} does not list its files: {answer[:COMPLAINT]}") from None
        # Whoever answers is a member, but a path is only used when it stays within the tree.
        return frozenset(filter(forced_command.is_unit, listed))

    def fetch(self, member: Member, units: Iterable[str]) -> None:
        """Have all of ``units`` in the folder for arrivals. What a killed run has written is built upon."""
        # What comes is not compared with each name that was asked for, which takes seconds for a thousand
        # units. It stays in a folder of its own, from which only what was asked for goes on into the tree.
        options = ["--inplace", "--trust-sender"]
        self._named(member, units, options, str(self._config.paths.incoming))

    def mend(self, member: Member, names: Iterable[str], *, by_content: bool, delete: bool) -> int:
        """See ``Mirror``: each file that differs is written beside, and renamed when all of it has arrived.

        Returns how many files were written or deleted.
        """
        options = [*TELLING, *["--checksum"] * by_content, *["--delete"] * delete]
        told = self._named(member, names, options, str(self._config.paths.files))
        return sum(line[:2] == ">f" or line.startswith("*deleting") for line in _lines(told))

    def differing(self, member: Member, *, by_content: bool, delete: bool) -> frozenset[str]:
        """The files that differ, and the units of which anything else does. The look changes nothing."""
        options = ["--dry-run", *TELLING, *["--checksum"] * by_content, *["--delete"] * delete]
        told, _ = self._rsync(member, options, str(self._config.paths.files))
        return frozenset(map(_to_be_named, _lines(told)))

    @staticmethod
    def parts(names: Iterable[str]) -> Iterator[list[str]]:
        """Names in lots, one for each run."""
        left = sorted(names)
        while left:
            yield left[:MANY]
            left = left[MANY:]

    def _named(self, member: Member, names: Iterable[str], options: Iterable[str], target: str) -> str:
        wanted = "".join(f"{name}\0" for name in names)
        told, code = self._rsync(member, [*NAMED, *options], target, tell=wanted)
        if code == VANISHED:
            raise Unfinished(f"files of {member.name} were removed while they were read")
        return told

    def _rsync(
        self, member: Member, options: Iterable[str], target: str, *, tell: str = ""
    ) -> tuple[str, int]:
        # An address of version 6 has colons itself.
        host = f"[{member.host_ip}]" if ":" in member.host_ip else member.host_ip
        command = [
            executable("rsync"),
            *COMMON,
            *options,
            "--rsync-path=files",
            f"--rsh={shlex.join(self._ssh(member))}",
            f"{host}::{ssh_files.MODULE}/",
            f"{target}/",
        ]
        return self._run(command, member, self._timeout_s, tell=tell, accept=VANISHED)

    def _ssh(self, member: Member) -> list[str]:
        config = self._config
        known = config.paths.run / f"known-{member.name}"
        pinned = f"{member.name} {member.ssh_host_key}\n"
        if not known.exists() or known.read_text() != pinned:
            write_atomically(known, pinned, durable=False)
        settings = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": config.paths.ssh / ssh_files.CLIENT_KEY,
            "StrictHostKeyChecking": "yes",
            "HostKeyAlias": member.name,
            "UserKnownHostsFile": known,
            "GlobalKnownHostsFile": "/dev/null",
            "ConnectTimeout": CONNECT_S,
            "ServerAliveInterval": CONNECT_S,
            "ServerAliveCountMax": 3,
            "ControlMaster": "auto",
            # The path of a socket may be no longer than 107 bytes, of which ssh wants 17 for itself.
            "ControlPath": config.paths.run / f"ssh-{ip_address(member.host_ip).packed.hex()}",
            "ControlPersist": KEEP_CONNECTION_S,
            # Where processors have instructions for it, it takes a fraction of the usual one's time.
            "Ciphers": "^aes128-gcm@openssh.com",
            # What comes first by default is safe from computers that are not built yet, and takes 0.1 s more.
            # Commits travel to the replicas under this one as well (TLS): both change together, or none.
            "KexAlgorithms": "^curve25519-sha256",
            "LogLevel": "ERROR",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={_quoted(value)}")]
        user = ("-l", getpass.getuser(), "-p", str(config.ports.ssh))
        return [executable("ssh"), "-F", "none", *user, *options]

    def _run(
        self, command: list[str], member: Member, timeout_s: float, *, tell: str = "", accept: int = 0
    ) -> tuple[str, int]:
        """Run a program to its end, or end it with all its children when the time is over."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
            pass_fds=() if self.lock is None else (self.lock,),
        )
        try:
            told, complaint = process.communicate(tell, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Unfinished(
                f"{member.name} has sent files for {timeout_s:g} s; the next run goes on"
            ) from None
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode not in (0, accept):
            why = complaint.strip() or told.strip()
            raise PeerUnavailable(
                f"{member.name} did not send files ({process.returncode}): {why[-COMPLAINT:]}"
            )
        return told, process.returncode


def _lines(told: str) -> list[str]:
    # Names may hold what Python, unlike rsync, takes for the end of a line.
    return told.removesuffix("\n").split("\n") if told else []


def unit_of(path: str) -> str:
    """The unit that a path leads into."""
    return "/".join(path.split("/")[: forced_command.DEPTH])


def _to_be_named(line: str) -> str:
    """What rsync has to be told so that it does what it would do by this line of its own."""
    change, _, name = line.partition(" ")
    path = ESCAPED.sub(_unescaped, name.lstrip())
    # A deletion belongs to a folder, and a folder that is named is looked into as a whole.
    of_file = change[:1] != "*" and change[1:2] != "d"
    return path if of_file else unit_of(path)


def _unescaped(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 8))


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
