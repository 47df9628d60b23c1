"""A supervisord that forks the services written in Python out of itself, instead of starting each one anew.

What they all import is imported once, before the first of them is started: its memory is there once, and a
service that has died is back without the second of processor time that its imports would take. To everyone
else they are what they were: programs with names, process ids and command lines of their own, and none of
them ends with another.

What is imported may depend on the node's configuration. When that file has changed since, a service is
started anew in the usual way.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import logging
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from supervisor import supervisord
from supervisor.options import ServerOptions

from orchestrator.config import config_file

PR_SET_NAME = 15
ARG_START, ARG_END = 45, 46
"""Where /proc/<pid>/stat tells the place of the command line, counted from after the program's name."""


def _configuration() -> bytes | None:
    """What the node's configuration file says at this moment."""
    try:
        return config_file().read_bytes()
    except OSError:
        return None


_read = _configuration()
"""What it said before anything was imported that may depend on it."""


class ForkingOptions(ServerOptions):  # type: ignore[misc]  # The library has no types.
    """The one place where supervisord turns its child into the program."""

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Become the program: a module that says so is called, everything else is executed as usual."""
        if argv[:2] == [sys.executable, "-m"] and _configuration() == _read:
            become(argv[2], argv, env)
        super().execve(filename, argv, env)


def become(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Be from now on the process that ``python -m module`` would have made.

    It never returns, and nothing of supervisord is cleaned up: its files were closed by number, and the
    numbers may be other files by now.
    """
    code = 1
    try:
        _forget_signals()
        os.environ.clear()
        os.environ.update(environment)
        _show_as(environment.get("SUPERVISOR_PROCESS_NAME", module), arguments)
        sys.argv = list(arguments[2:])
        code = _exit_code(SystemExit(_run(module)))
    except SystemExit as ending:
        code = _exit_code(ending)
    except BaseException:  # noqa: BLE001  The interpreter would do the same at the end of a program.
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(module: str) -> int | str | None:
    """Carry the module out; one that was imported before the fork is called, and takes no memory twice."""
    there = sys.modules.get(f"{module}.__main__", sys.modules.get(module))
    if hasattr(there, "main"):
        return there.main()  # type: ignore[union-attr, no-any-return]  # hasattr has just said so
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _forget_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit_code(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return ending.code or 0
    sys.stderr.write(f"{ending.code}\n")
    return 1


def _show_as(name: str, arguments: Sequence[str]) -> None:
    """Have the process listed under the name of its service, with its own command line."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
    stat = Path("/proc/self/stat").read_text()
    fields = stat[stat.rindex(")") + 2 :].split()
    start, end = int(fields[ARG_START]), int(fields[ARG_END])
    # Python works on a copy of its arguments: these bytes are only read by who lists processes.
    line = b"\0".join(map(os.fsencode, arguments)).ljust(end - start, b"\0")[: end - start]
    ctypes.memmove(start, line, end - start)


def main() -> None:
    """``forking_supervisord <modules to import, with commas> <arguments of supervisord>``."""
    for name in sys.argv.pop(1).split(","):
        importlib.import_module(name)
    # A collection writes into every object that it looks at, and a page that is written to is shared no more.
    gc.collect()
    gc.freeze()
    supervisord.ServerOptions = ForkingOptions
    supervisord.main()


if __name__ == "__main__":
    main()
