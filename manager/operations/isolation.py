"""One operation leaves nothing to the next in the same process but what it has written to disk."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "CFY_EXEC_TEMP"}
    | {f"{kind}_proxy" for kind in ("http", "https", "no")}
    | {f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "NO")}
)
"""What operations, and the scripts of users, see of the environment of this manager."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
HOME = "/"


def begin() -> None:
    """Once, in a new process: nothing to read on standard input, and no secrets in the environment."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for name in [name for name in os.environ if name not in PASSED and not name.startswith("LC_")]:
        del os.environ[name]
    os.environ.setdefault("PATH", os.defpath)
    # The files of a blueprint never change; what would be written there is not the same on other members.
    sys.dont_write_bytecode = True
    os.chdir(HOME)


@contextmanager
def isolated(**variables: str) -> Iterator[None]:
    """The length of one operation, with more variables in its environment."""
    environment, path, arguments = dict(os.environ), list(sys.path), list(sys.argv)
    streams = sys.stdin, sys.stdout, sys.stderr
    mask = os.umask(0o022)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    os.environ.update(variables)
    try:
        yield
    finally:
        _restore_environment(environment)
        sys.path[:], sys.argv[:] = path, arguments
        sys.stdin, sys.stdout, sys.stderr = streams
        os.umask(mask)
        os.chdir(HOME)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _restore_environment(environment: Mapping[str, str]) -> None:
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)
