"""Which certificate a service of this node shows to whoever connects now.

What counts is what is served, not what lies on disk: a service may not have read its file again yet.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from orchestrator.config import NodeConfig

TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 10.0
"""How long a server may take to say whether it takes a client's certificate: the machine may be busy."""

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""

# PostgreSQL's documentation, "Message Formats", SSLRequest: its length, and a code that is no version.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
WILLING = b"S"

# The same, StartupMessage of protocol 3.0: a greeting that is answered, if only with an error.
_WHO = b"user\0replicator\0database\0postgres\0\0"
STARTUP = struct.pack("!ii", 8 + len(_WHO), 196608) + _WHO

# The first byte tells Consul's servers what is spoken (its source, agent/pool/conn.go: RPCTLS, and within it
# RPCMultiplexV2). That is yamux, whose ping is answered (its specification: version, type, flags, stream and
# value).
CONSUL_TLS = b"\x03"
CONSUL_PING = b"\x04" + struct.pack("!BBHII", 0, 2, 1, 0, 0)

CONSUL, POSTGRESQL, REST, BROKER = "consul", "postgresql", "restservice", "broker"


class Door(NamedTuple):
    """Where a service takes connections, and what has to be said there before TLS begins.

    ``greeting``: what the service answers to whom it lets in.
    """

    host: str
    port: int
    knock: Callable[[socket.socket], None] | None = None
    greeting: bytes = b""


def tolerant_context(certificates: Path) -> ssl.SSLContext:
    """Trusts what the internal CA has signed, also when it has ended: for this node's own services only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    return context


def doors(config: NodeConfig) -> Mapping[str, Door]:
    """Every service of this node that shows a certificate."""
    ports = config.ports
    rest = {REST: Door(config.host_ip, ports.rest)} if config.rest.protocol == "https" else {}
    return {
        CONSUL: Door(config.api_host, ports.consul_api),
        POSTGRESQL: Door(config.host_ip, ports.postgres, _ask_postgresql),
        BROKER: Door(config.host_ip, ports.broker),
        **rest,
    }


def doors_of_member(config: NodeConfig, host: str) -> Mapping[str, Door]:
    """Where another member takes connections of members. All have the same ports."""
    ports = config.ports
    return {
        CONSUL: Door(host, ports.consul_server, lambda link: link.sendall(CONSUL_TLS), CONSUL_PING),
        POSTGRESQL: Door(host, ports.postgres, _ask_postgresql, STARTUP),
    }


def accepts(door: Door, context: ssl.SSLContext) -> bool:
    """Whether the service there trusts the client's certificate of ``context``, which trusts that service.

    Raises ``OSError`` when nobody answers, ``ssl.SSLError`` when the service is not to be trusted.
    """
    with _connected(door) as plain, context.wrap_socket(plain) as link:
        link.settimeout(ANSWER_TIMEOUT_S)
        try:
            link.sendall(door.greeting)
            return bool(link.recv(1))
        except (ssl.SSLError, ConnectionError):
            # The server sees the client's certificate last. It says what it thinks of it, and hangs up.
            return False


def shows_one_of(door: Door, context: ssl.SSLContext) -> bool:
    """Whether the service there shows a certificate that ``context`` trusts. Raises ``OSError``."""
    with _connected(door) as plain:
        try:
            context.wrap_socket(plain).close()
        except ssl.SSLCertVerificationError:
            return False
    return True


@contextmanager
def _connected(door: Door) -> Iterator[socket.socket]:
    with socket.create_connection((door.host, door.port), TIMEOUT_S) as plain:
        plain.settimeout(TIMEOUT_S)
        if door.knock:
            door.knock(plain)
        yield plain


def shown_by(config: NodeConfig, service: str) -> bytes | None:
    """The certificate (DER) that ``service`` shows now; None when nobody answers there.

    Raises ``ssl.SSLError`` when it is none of this node's CA.
    """
    door = doors(config)[service]
    context = tolerant_context(config.paths.ssl)
    context.check_hostname = False
    try:
        with _connected(door) as plain, context.wrap_socket(plain) as link:
            return link.getpeercert(binary_form=True)
    except ssl.SSLError:
        raise
    except OSError:
        return None


def _ask_postgresql(link: socket.socket) -> None:
    link.sendall(SSL_REQUEST)
    if link.recv(1) != WILLING:
        raise ConnectionRefusedError("the database does not speak TLS")
