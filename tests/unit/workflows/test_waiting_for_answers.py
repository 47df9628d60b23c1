"""A broker that is slow for a moment does not end the engine; one that is lost does."""

from __future__ import annotations

import queue

import pytest
import redis

from manager.workflows.answers import AnswersReader, Taken

ANSWER = b"no answer, but a message"


class Broker:
    """It meets its waiting reader with one error, and has one message then."""

    def __init__(self, error):
        self.errors = [error]

    def blmove(self, *_):
        if self.errors:
            raise self.errors.pop()
        return ANSWER

    def lrange(self, *_):
        return [ANSWER]


@pytest.mark.parametrize(
    ("error", "comes"),
    [(redis.TimeoutError("slow"), Taken((), 1)), (redis.ConnectionError("gone"), "lost")],
)
def test_only_a_broker_that_is_lost_ends_it(error, comes):
    came = queue.SimpleQueue()
    reader = AnswersReader(Broker(error), came.put, lambda _: came.put("lost"))
    reader.start()
    assert came.get(timeout=30) == comes
