"""``python -m tests.support.mgmtworker_forgotten HOW NUMBER``: the service, whose broker loses messages.

The so-many first messages to its worker are lost as soon as the broker has them: nobody fetches one before,
because writing and losing them is one transaction. The engine asks again soon.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis
from redis.client import Pipeline

from manager.operations.message import OPERATIONS
from manager.workflows import asking, service

SOON_S = 1.0
HOW: Mapping[str, Callable[[Pipeline], Any]] = {
    "the queue is deleted": lambda broker: broker.delete(OPERATIONS),
    "all is deleted": lambda broker: broker.flushall(),
}


def lose(how: str, number: int) -> None:
    """From now on, in this process."""
    push, left = Redis.lpush, [number]

    def lossy(self: Redis, queue: str, *messages: str) -> Any:
        if isinstance(self, Pipeline) or queue != OPERATIONS or not left[0]:
            return push(self, queue, *messages)
        left[0] -= 1
        with self.pipeline(transaction=True) as broker:
            broker.lpush(queue, *messages)
            HOW[how](broker)
            return broker.execute()

    Redis.lpush = lossy  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    asking.ASK_WORKER_AFTER_S = SOON_S
    lose(sys.argv[1], int(sys.argv[2]))
    sys.exit(service.main())
