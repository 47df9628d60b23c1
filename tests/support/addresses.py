"""Loopback addresses for the servers of tests. No two processes that run tests at once have any in common."""

from __future__ import annotations

import socket
from functools import cache
from itertools import cycle

CLAIM_PORT = 61995
HOSTS = cycle(range(1, 255))


@cache
def _claim() -> tuple[int, socket.socket]:
    """A number that is this process's own, and the socket that says so until the process ends."""
    for number in range(256):
        claim = socket.socket()
        try:
            claim.bind((f"127.95.{number}.1", CLAIM_PORT))
        except OSError:
            claim.close()
        else:
            return number, claim
    raise AssertionError("256 processes are running tests")


def network(kind: int) -> str:
    """The first three parts of addresses for one kind of servers, ``127.91.0`` for example for 91."""
    number, _ = _claim()
    return f"127.{kind}.{number}"


def new_address() -> str:
    """An address that no other server of this process has."""
    return f"{network(93)}.{next(HOSTS)}"
