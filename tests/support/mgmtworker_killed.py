"""``python -m tests.support.mgmtworker_killed POINT NUMBER``: an engine, killed where it comes to a point.

It is killed like ``kill -9``, when it comes there for the so-many-th time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from manager.workflows import service, store
from manager.workflows.answers import AnswersReader
from manager.workflows.engine import Engine
from manager.workflows.sending import Sender

Function = Callable[..., Any]


def before(owner: Any, name: str, applies: Callable[..., bool]) -> Callable[[int], None]:
    """Die instead of calling it."""
    return _at(owner, name, lambda function, arguments: None, applies)


def after(owner: Any, name: str, applies: Callable[..., bool]) -> Callable[[int], None]:
    """Die as soon as it has returned."""
    return _at(owner, name, lambda function, arguments: function(*arguments), applies)


def _at(owner: Any, name: str, do: Callable[..., Any], applies: Callable[..., bool]) -> Callable[[int], None]:
    def install(number: int) -> None:
        function = getattr(owner, name)
        left = [number]

        def replaced(*arguments: Any) -> Any:
            if applies(*arguments):
                left[0] -= 1
                if not left[0]:
                    do(function, arguments)
                    os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        setattr(owner, name, replaced)

    return install


def half(send: Function) -> Function:
    def send_half(self: Sender, tasks: Any) -> None:
        send(self, tasks[: len(tasks) // 2])

    return send_half


POINTS: dict[str, Callable[[int], None]] = {
    "before a graph is stored": before(store, "write", lambda _, batch, __: bool(batch.new_graphs)),
    "before an operation is stored": before(store, "write", lambda _, batch, __: bool(batch.tasks)),
    "stored, not sent": before(Sender, "send", lambda _, tasks: bool(tasks)),
    "half of them sent": _at(
        Sender, "send", lambda send, given: half(send)(*given), lambda _, tasks: len(tasks) > 1
    ),
    "sent": after(Sender, "send", lambda _, tasks: bool(tasks)),
    "answered, not stored": before(Engine, "turn", lambda _, answers: bool(answers)),
    "answer stored, and still in the broker": before(AnswersReader, "stored", lambda *_: True),
    "before its end is stored": before(store, "write", lambda _, batch, __: bool(batch.endings)),
    "when its end is stored": after(Engine, "_store", lambda _, batch: bool(batch.endings)),
}

if __name__ == "__main__":
    POINTS[sys.argv[1]](int(sys.argv[2]))
    sys.exit(service.main())
