"""The other members' machines, reached over SSH with a key that may do little there (``forced_command``)."""

from __future__ import annotations

import base64
import binascii
import getpass
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from orchestrator.clients import ssh_files
from orchestrator.config import NodeConfig
from orchestrator.model.errors import PeerUnavailable
from orchestrator.model.minority import ACTIVE, Standing
from orchestrator.model.office import Office
from orchestrator.model.snapshot import Member

if TYPE_CHECKING:
    import paramiko

T = TypeVar("T")

log = logging.getLogger(__name__)
ANSWER_BYTES = 500


class Peers:
    """Asks other members' machines. ``me`` is only used to say who asks, in the log."""

    def __init__(self, config: NodeConfig, me: str) -> None:
        self._config = config
        self._me = me

    def fence(self, member: Member, term: int, timeout_s: float) -> bool:
        """Have the database of ``member`` stopped by force, on behalf of the leader of ``term``.

        Returns whether it is known to be stopped, after ``timeout_s`` at the latest. It never raises: a
        machine that cannot be reached, or that proves to be another one, is not fenced, and no more is known.
        """
        deadline = self._in_a_hurry(timeout_s)
        try:
            answer = self._ask(member, f"fence {term}", deadline)
        except (OSError, EOFError, ValueError, PeerUnavailable) as error:
            log.warning("%s could not fence %s for term %d: %s", self._me, member.name, term, error)
            return False
        log.info("%s asked %s to fence itself for term %d: %s", self._me, member.name, term, answer)
        return answer == "fenced"

    def make_ready(self) -> None:
        """Load what is needed to ask, which otherwise is loaded, at its expense, by the first question."""
        import paramiko  # noqa: F401, PLC0415 - see ``_converse``

    def confirm(self, office: Office, for_s: float, timeout_s: float) -> frozenset[str]:
        """Which of the other members follow this node in its office, and give their word on it ``for_s``.

        They are asked at once, and who has not answered after ``timeout_s`` does not. It never raises.
        """
        request = f"confirm {office.term} {office.modified} {int(for_s * 1000)} {self._me}"
        deadline = self._in_a_hurry(timeout_s)

        def follows(member: Member) -> bool:
            try:
                return self._ask(member, request, deadline) == "follows"
            except (OSError, EOFError, ValueError, PeerUnavailable) as error:
                log.warning("%s could not ask %s whether it follows: %s", self._me, member.name, error)
                return False

        return frozenset(name for name, yes in _each_at_once(follows, office.members).items() if yes)

    def standings(self, members: Mapping[str, Member], timeout_s: float) -> Mapping[str, Standing]:
        """How those of ``members`` stand that answer in time. They are asked at once; it never raises.

        Who is only slow is waited for: to take him for lost would make a second history.
        """
        deadline = _Deadline(timeout_s, timeout_s)

        def standing(member: Member) -> Standing | None:
            try:
                return _standing_of(self._ask(member, "standing", deadline))
            except (OSError, EOFError, ValueError, TypeError, KeyError, PeerUnavailable) as error:
                log.info("%s could not ask %s how it stands: %s", self._me, member.name, error)
                return None

        answers = _each_at_once(standing, members)
        return {name: answer for name, answer in answers.items() if answer is not None}

    def _in_a_hurry(self, timeout_s: float) -> _Deadline:
        return _Deadline(timeout_s, self._config.timing.fence_connect_timeout_s)

    def _ask(self, member: Member, request: str, deadline: _Deadline) -> str:
        address = (member.host_ip, self._config.ports.ssh)
        with socket.create_connection(address, timeout=deadline.for_sign_of_life_s()) as connection:
            # Small messages go back and forth: otherwise three of them wait 40 ms for the one before.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._converse(connection, member, request, deadline)

    def _converse(self, connection: socket.socket, member: Member, request: str, deadline: _Deadline) -> str:
        # It takes 8 MiB, which is too much for processes that may never need it; and for a machine that
        # refuses the connection, as one does whose processes are gone, it is not needed either.
        import paramiko  # noqa: PLC0415

        transport = paramiko.Transport(connection)
        # Not every wait of the library can be bounded; the end of the connection ends them all.
        watchdog = threading.Timer(deadline.left_s(), transport.close)
        watchdog.start()
        try:
            # A frozen machine's kernel still accepts connections; the banner shows that nobody is there.
            transport.banner_timeout = deadline.for_sign_of_life_s()
            transport.auth_timeout = deadline.left_s()
            transport.start_client(timeout=deadline.left_s())
            _check_identity(transport, member)
            key = paramiko.Ed25519Key.from_private_key_file(
                str(self._config.paths.ssh / ssh_files.CLIENT_KEY)
            )
            transport.auth_publickey(getpass.getuser(), key)
            return _request(transport, request, deadline)
        except paramiko.SSHException as error:
            raise PeerUnavailable(str(error)) from error
        finally:
            watchdog.cancel()
            transport.close()


def _each_at_once(asks: Callable[[Member], T], members: Mapping[str, Member]) -> dict[str, T]:
    if not members:
        return {}
    with ThreadPoolExecutor(len(members)) as pool:
        return dict(zip(members, pool.map(asks, members.values()), strict=True))


def _standing_of(answer: str) -> Standing:
    """What a member's forced command has told. One whose loop stands still is there, and acts on nothing."""
    told = json.loads(answer)
    if not told["fresh"]:
        return Standing(cut_off=True, active=False, led=False, place=(0, 0, 0))
    term, timeline, lsn = map(int, told["place"])
    return Standing(
        bool(told["cut_off"]), told["minority"] == ACTIVE, bool(told["led"]), (term, timeline, lsn)
    )


def _check_identity(transport: paramiko.Transport, member: Member) -> None:
    try:
        pinned = base64.b64decode(member.ssh_host_key.split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise PeerUnavailable(f"no host key of {member.name} is known") from None
    if transport.get_remote_server_key().asbytes() != pinned:
        raise PeerUnavailable(f"{member.host_ip} shows another host key than that of {member.name}")


def _request(transport: paramiko.Transport, request: str, deadline: _Deadline) -> str:
    channel = transport.open_session(timeout=deadline.left_s())
    channel.settimeout(deadline.left_s())
    channel.exec_command(request)
    answer = b""
    while not answer.endswith(b"\n") and len(answer) < ANSWER_BYTES:
        channel.settimeout(deadline.left_s())
        received = channel.recv(ANSWER_BYTES)
        if not received:
            break
        answer += received
    return answer.decode(errors="replace").strip()


class _Deadline:
    """One bound over many waits. ``sign_of_life_s``: how long a machine may be silent at first."""

    def __init__(self, timeout_s: float, sign_of_life_s: float) -> None:
        self._at_s = time.monotonic() + timeout_s
        self._sign_of_life_s = sign_of_life_s

    def left_s(self) -> float:
        """What is left, in seconds. Raises ``PeerUnavailable`` when nothing is."""
        left = self._at_s - time.monotonic()
        if left <= 0:
            raise PeerUnavailable("no answer in time")
        return left

    def for_sign_of_life_s(self) -> float:
        """How long to wait for a first answer. Raises as ``left_s``."""
        return min(self._sign_of_life_s, self.left_s())
