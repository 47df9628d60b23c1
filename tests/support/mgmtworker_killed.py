"""``python -m tests.support.mgmtworker_killed POINT NUMBER [PID]``: an engine, and what is killed at a point.

When the engine comes there for the so-many-th time it is killed, like ``kill -9``. With ``PID`` its broker,
which is that process, is killed in its place, and the engine stands still until the next broker is there:
what the engine asks after that, the next one answers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from manager.gateway import load_config
from manager.workflows import service, store
from manager.workflows.answers import AnswersReader
from manager.workflows.engine import Engine
from manager.workflows.sending import Sender
from tests.support.mgmtworker import WITHIN_S, answers, lives
from tests.support.waiting import eventually

Kill = Callable[[], None]
Do = Callable[[Kill, Callable[..., Any], tuple[Any, ...]], Any]
Point = Callable[[int, Kill], None]


def kill_first(kill: Kill, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    kill()
    return function(*arguments)


def kill_afterwards(kill: Kill, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    result = function(*arguments)
    kill()
    return result


def kill_half_way(kill: Kill, send: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sender, tasks = arguments
    send(sender, tasks[: len(tasks) // 2])
    kill()
    send(sender, tasks[len(tasks) // 2 :])


def at(owner: Any, name: str, do: Do, applies: Callable[..., bool]) -> Point:
    """The point at which this is called, with arguments to which it ``applies``."""

    def install(number: int, kill: Kill) -> None:
        function = getattr(owner, name)
        left = [number]

        def replaced(*arguments: Any) -> Any:
            if applies(*arguments):
                left[0] -= 1
                if not left[0]:
                    return do(kill, function, arguments)
            return function(*arguments)

        setattr(owner, name, replaced)

    return install


POINTS: dict[str, Point] = {
    "before a graph is stored": at(store, "write", kill_first, lambda _, batch, __: bool(batch.new_graphs)),
    "before an operation is stored": at(store, "write", kill_first, lambda _, batch, __: bool(batch.tasks)),
    "stored, not sent": at(Sender, "send", kill_first, lambda _, tasks: bool(tasks)),
    "half of them sent": at(Sender, "send", kill_half_way, lambda _, tasks: len(tasks) > 1),
    "sent": at(Sender, "send", kill_afterwards, lambda _, tasks: bool(tasks)),
    "answered, not stored": at(Engine, "turn", kill_first, lambda _, answers: bool(answers)),
    "answer stored, and still in the broker": at(AnswersReader, "stored", kill_first, lambda *_: True),
    "before its end is stored": at(store, "write", kill_first, lambda _, batch, __: bool(batch.endings)),
    "when its end is stored": at(Engine, "_store", kill_afterwards, lambda _, batch: bool(batch.endings)),
}


def be_killed() -> None:
    """As ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)


def lose_broker(pid: int) -> None:
    """Kill it, and wait for the next one; whoever runs this test starts it."""
    config = load_config()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not lives(pid), WITHIN_S, "the broker is gone")
    eventually(lambda: answers((config.host_ip, config.ports.broker)), WITHIN_S, "there is another broker")


if __name__ == "__main__":
    point, number, *broker = sys.argv[1:]
    POINTS[point](int(number), partial(lose_broker, int(broker[0])) if broker else be_killed)
    sys.exit(service.main())
