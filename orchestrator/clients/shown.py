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
REFUSED_WITHIN_S = 2.0
"""A server that does not trust a client's certificate says so at once; one that does waits to be asked."""

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""

# PostgreSQL's documentation, "Message Formats", SSLRequest: its length, and a code that is no version.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
WILLING = b"S"

# The first byte tells Consul's servers what is spoken (its source, agent/pool/conn.go, RPCTLS).
CONSUL_TLS = b"\x03"

CONSUL, POSTGRESQL, REST, BROKER = "consul", "postgresql", "restservice", "broker"


class Door(NamedTuple):
    """Where a service takes connections, and what has to be said there before TLS begins."""

    host: str
    port: int
    knock: Callable[[socket.socket], None] | None = None


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
        CONSUL: Door(host, ports.consul_server, lambda link: link.sendall(CONSUL_TLS)),
        POSTGRESQL: Door(host, ports.postgres, _ask_postgresql),
    }


def accepts(door: Door, context: ssl.SSLContext) -> bool:
    """Whether the service there trusts the client's certificate of ``context``, which trusts that service.

    Raises ``OSError`` when nobody answers, ``ssl.SSLError`` when the service is not to be trusted.
    """
    with _connected(door) as plain, context.wrap_socket(plain) as link:
        link.settimeout(REFUSED_WITHIN_S)
        try:
            link.recv(1)
        except TimeoutError:
            return True
        except ssl.SSLError:
            return False
    return True


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
