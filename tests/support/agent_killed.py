"""``python -m tests.support.agent_killed POINT ...``: an agent that is killed where it comes to a point.

What follows is for the agent. With ``-`` for the point it is not killed. It knows two operations of ours,
which note in a file that they run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

from cloudify.decorators import operation

from agent.__main__ import main
from agent.ledger import Ledger
from manager.operations import code

NOWHERE = "-"
AGENT = os.getpid()
"""What runs operations is forked from it."""

_running: list[Callable[[], None]] = []


def kill() -> NoReturn:
    """End the agent, and with it the process that runs an operation."""
    os.kill(AGENT, signal.SIGKILL)
    while True:
        signal.pause()


def _note(path: str, word: str) -> None:
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, f"{word}\n".encode())
    os.close(ledger)


@operation
def once(ledger: str, **_: Any) -> None:
    _note(ledger, "begun")
    for do in _running:
        do()
    _note(ledger, "done")


@operation(resumable=True)
def again(ledger: str, **_: Any) -> None:
    once(ledger)


OPERATIONS = {name: f"{__name__}.{name}" for name in ("once", "again")}


def before(owner: Any, name: str) -> Callable[[], None]:
    def install() -> None:
        setattr(owner, name, lambda *_, **__: kill())

    return install


def after(owner: Any, name: str) -> Callable[[], None]:
    def install() -> None:
        function = getattr(owner, name)

        def replaced(*arguments: Any, **options: Any) -> NoReturn:
            function(*arguments, **options)
            kill()

        setattr(owner, name, replaced)

    return install


POINTS: dict[str, Callable[[], None]] = {
    "fetched, not noted": before(Ledger, "begin"),
    "noted, not begun": after(Ledger, "begin"),
    "running": lambda: _running.append(kill),
    "ended, not noted": before(Ledger, "answer"),
    "noted, not delivered": after(Ledger, "answer"),
    "delivered, not noted": before(Ledger, "delivered"),
}


def run() -> None:
    """Be the agent."""
    point = sys.argv.pop(1)
    code.BUILT_IN = {**code.BUILT_IN, **OPERATIONS}
    POINTS.get(point, lambda: None)()
    main()


if __name__ == "__main__":
    # Operations find this module by its name, and that is not the one that runs here.
    import_module("tests.support.agent_killed").run()
