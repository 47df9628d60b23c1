"""Has the leader's broker (Redis) read its certificate again, without an end to any connection.

Redis reads the files again when it is told their names, also the names that it has (its documentation, "TLS
Support"). Spoken by hand (RESP): the library would refuse a broker whose certificate has ended, which is when
this is needed most.
"""

from __future__ import annotations

import socket
from pathlib import Path

from orchestrator.clients.shown import tolerant_context
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ServicesUnavailable

TIMEOUT_S = 5.0


def read_certificate_again(config: NodeConfig, password: str) -> None:
    """Returns when new connections are made with the certificate on disk. Raises ``ServicesUnavailable``."""
    certificate: Path = config.paths.ssl / "node.pem"
    commands = (("AUTH", password), ("CONFIG", "SET", "tls-cert-file", str(certificate)))
    address = (config.host_ip, config.ports.broker)
    try:
        with (
            socket.create_connection(address, TIMEOUT_S) as plain,
            tolerant_context(config.paths.ssl).wrap_socket(plain, server_hostname=config.host_ip) as link,
            link.makefile("rb") as answers,
        ):
            for command in commands:
                link.sendall(_encoded(command))
                answer = answers.readline().decode(errors="replace").strip()
                if answer != "+OK":
                    raise ServicesUnavailable(f"The broker refuses {command[0]}: {answer or 'no answer'}")
    except OSError as error:
        raise ServicesUnavailable(f"The broker does not answer: {error}") from error


def _encoded(command: tuple[str, ...]) -> bytes:
    words = [word.encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
