"""Passwords: argon2 hashes, and a short memory of those that were found right.

A hash is expensive on purpose, and a client sends its password with every request. So a password that was
right is remembered for some minutes, as a digest under a key that only this process has. The digest covers
the stored hash as well: a changed password is forgotten at once.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MEMORY_S = 300.0
REMEMBERED = 1024
AT_ONCE = 2
"""How many hashes are computed at a time: guessing passwords must not take the machine."""


class Passwords:
    """Hashes and verifies. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # OWASP's recommendation: 19 MiB, two rounds; some 20 ms.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, float] = {}
        self._gate = threading.BoundedSemaphore(AT_ONCE)
        self._nobodys = self.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        """The text to store."""
        return self._hasher.hash(password)

    def remembered(self, stored: str, password: str) -> bool:
        """Whether it was found right a short time ago."""
        return self._right.get(self._digest(stored, password), 0.0) > self._clock()

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one behind ``stored``. None takes as long, and is never right."""
        with self._gate:
            # Right after a failover a client's requests come all at once: one of them tells for the others.
            if stored is not None and self.remembered(stored, password):
                return True
            try:
                self._hasher.verify(stored or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        if stored is None:
            return False
        if len(self._right) >= REMEMBERED:
            self._right.clear()
        self._right[self._digest(stored, password)] = self._clock() + MEMORY_S
        return True

    def _digest(self, stored: str, password: str) -> bytes:
        text = f"{stored}\0{password}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()
