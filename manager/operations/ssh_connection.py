"""A connection to a machine of the user's, which is who it says.

Its host key is either given (``host_key`` in ``fabric_env``), or it is the one that it had when this node
instance was first connected to: that is noted in its runtime properties, where everybody can see and correct
it. Another key is refused.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from cloudify.constants import NODE_INSTANCE, RELATIONSHIP_INSTANCE
from cloudify.exceptions import NonRecoverableError, RecoverableError

Json = dict[str, Any]

NOTED = "ssh_host_keys"
"""The runtime property: from ``HOST:PORT`` to a key as one line, type and base64."""

CONNECT_TIMEOUT_S = 30.0
KEEPALIVE_S = 15
SILENCE_S = 60.0
"""After this a machine that does not even confirm what it is sent counts as gone."""

KEYS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to log in, and how."""

    host: str
    port: int
    user: str
    password: str | None
    key: paramiko.PKey | None
    host_key: str | None
    connect_timeout_s: float

    @property
    def name(self) -> str:
        """As it is noted."""
        return f"{self.host}:{self.port}"


def target_of(ctx: Any, fabric_env: Mapping[str, Any] | None) -> Target:
    """From what users write. Raises ``NonRecoverableError`` that says what is missing."""
    given = dict(fabric_env or {})
    user, _, address = str(given.get("host_string") or given.get("host") or "").rpartition("@")
    host, port = _split(address)
    user = given.get("user") or user
    if not user:
        raise NonRecoverableError("fabric_env names no 'user' to log in as.")
    key = _key(ctx, given)
    if key is None and not given.get("password"):
        raise NonRecoverableError("fabric_env has no 'key', 'key_filename' or 'password' to log in with.")
    return Target(
        host=host or ctx.instance.host_ip,
        port=int(given.get("port") or port or paramiko.config.SSH_PORT),
        user=user,
        password=given.get("password"),
        key=key,
        host_key=given.get("host_key"),
        connect_timeout_s=float(given.get("connect_timeout") or given.get("timeout") or CONNECT_TIMEOUT_S),
    )


def _split(address: str) -> tuple[str, str]:
    """``HOST``, ``HOST:PORT``, ``[IPV6]:PORT``; a bare IPv6 address has no port."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = address.partition(":")
    return (address, "") if ":" in port else (host, port)


def _key(ctx: Any, given: Mapping[str, Any]) -> paramiko.PKey | None:
    text = given.get("key")
    if not text and (name := given.get("key_filename")):
        path = Path(name).expanduser()
        text = path.read_text() if path.is_file() else ctx.get_resource(str(name)).decode()
    if not text:
        return None
    for kind in KEYS:
        try:
            return kind.from_private_key(io.StringIO(text), given.get("key_password"))
        except (paramiko.SSHException, ValueError):
            continue
    raise NonRecoverableError("The key in fabric_env is no private key, or has a password that is not given.")


@contextmanager
def connected(ctx: Any, target: Target) -> Iterator[paramiko.SSHClient]:
    """The length of a connection.

    Raises ``NonRecoverableError`` when the machine is not the one that is known, or refuses the login, and
    ``RecoverableError`` when it cannot be reached.
    """
    known = _known(ctx, target)
    client = paramiko.SSHClient()
    known.tell(client)
    try:
        _connect(client, target)
        yield client
    except paramiko.BadHostKeyException as error:
        raise known.refusal(error.key) from error
    except paramiko.AuthenticationException as error:
        raise NonRecoverableError(f"{target.name} refuses the login of {target.user}: {error}") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise RecoverableError(f"The connection to {target.name} failed: {error}") from error
    finally:
        client.close()


def _connect(client: paramiko.SSHClient, target: Target) -> None:
    client.connect(
        target.host,
        target.port,
        target.user,
        password=target.password,
        pkey=target.key,
        allow_agent=False,
        look_for_keys=False,
        timeout=target.connect_timeout_s,
        banner_timeout=target.connect_timeout_s,
        auth_timeout=target.connect_timeout_s,
    )
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(KEEPALIVE_S)
        if isinstance(transport.sock, socket.socket):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE_S * 1000))


class Known(paramiko.MissingHostKeyPolicy):
    """Compares keys. ``expected``: None if nothing is known yet; then ``note`` is called."""

    def __init__(self, target: Target, expected: str | None, note: Callable[[str], None]) -> None:
        self._target, self._expected, self._note = target, expected, note

    def tell(self, client: paramiko.SSHClient) -> None:
        """Have the client ask for the key that is expected: a machine has several, of different types.

        Raises ``NonRecoverableError`` when what is expected is no key.
        """
        client.set_missing_host_key_policy(self)
        if self._expected is None:
            return
        host, port = self._target.host, self._target.port
        name = host if port == paramiko.config.SSH_PORT else f"[{host}]:{port}"
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {self._expected}")
        except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError):
            entry = None
        if entry is None or entry.key is None:
            raise NonRecoverableError(
                f"The host key of {self._target.name} has to be one line, its type and its base64, "
                f"and not {self._expected!r}."
            )
        client.get_host_keys().add(name, entry.key.get_name(), entry.key)

    def missing_host_key(self, _client: paramiko.SSHClient, _name: str, key: paramiko.PKey) -> None:
        """Called with a key of a type of which none is expected."""
        if self._expected is not None:
            raise self.refusal(key)
        self._note(_line(key))

    def refusal(self, key: paramiko.PKey) -> NonRecoverableError:
        """What is said when the machine has another key."""
        return NonRecoverableError(
            f"{self._target.name} is not the machine that is known by this name: its host key is "
            f"{_line(key)}, and {self._expected} was expected. If that is right, correct 'host_key' in "
            f"fabric_env, or the runtime property '{NOTED}'."
        )


def _line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def _known(ctx: Any, target: Target) -> Known:
    instance = _instance(ctx)
    if target.host_key or instance is None:
        if not target.host_key:
            raise NonRecoverableError(
                "fabric_env needs the machine's 'host_key': here is no node instance to note it in."
            )
        return Known(target, target.host_key, lambda _: None)

    def note(line: str) -> None:
        noted = dict(instance.runtime_properties.get(NOTED) or {})
        instance.runtime_properties[NOTED] = {**noted, target.name: line}
        instance.update()
        ctx.logger.warning("%s was not known yet; from now on its host key has to be %s", target.name, line)

    return Known(target, (instance.runtime_properties.get(NOTED) or {}).get(target.name), note)


def _instance(ctx: Any) -> Any:
    if ctx.type == NODE_INSTANCE:
        return ctx.instance
    if ctx.type == RELATIONSHIP_INSTANCE:
        return ctx.source.instance if ctx.operation.relationship != "target" else ctx.target.instance
    return None
