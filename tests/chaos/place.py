"""Where the processes of one host live: a thread with a network, mounts and shared memory of its own.

What a thread starts lives where the thread does, so a host's processes are started by its thread.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x00020000, 0x08000000, 0x40000000
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19
RESOLV_CONF = "/etc/resolv.conf"

_libc = ctypes.CDLL(None, use_errno=True)


class Place:
    """The network namespace of that name. ``resolv_conf`` is there what is ``/etc/resolv.conf`` elsewhere."""

    def __init__(self, namespace: str, resolv_conf: Path) -> None:
        self._namespace, self._resolv_conf = namespace, resolv_conf
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=namespace, initializer=self._enter)

    def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the function returns, or raises, when it is called there."""
        return self._pool.submit(function, *arguments, **named).result()

    def close(self) -> None:
        """End the thread; the place itself is gone with the last process in it."""
        self._pool.shutdown()

    def _enter(self) -> None:
        _checked(_libc.unshare(CLONE_NEWNS | CLONE_NEWIPC))
        _checked(_libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None))
        if Path(RESOLV_CONF).exists():
            _checked(_libc.mount(os.fsencode(self._resolv_conf), RESOLV_CONF.encode(), None, MS_BIND, None))
        # Python itself has setns and unshare from 3.12 on.
        with Path("/run/netns", self._namespace).open() as namespace:
            _checked(_libc.setns(namespace.fileno(), CLONE_NEWNET))


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
