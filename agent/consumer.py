"""Celery's consumer, which finds the leader by itself, and notices when it is gone without a word."""

from __future__ import annotations

import time
from typing import Any

import redis
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from agent.brokers import brokers, connect, link_to
from agent.settings import Folder

LOOK_EVERY_S = 5.0
SLICE_S = 0.2


class FollowingConsumer(Consumer):
    """Of an application whose ``conf.agent_folder`` says where the agent lives."""

    _link: redis.Redis | None = None

    @property
    def _folder(self) -> Folder:
        folder: Folder = self.app.conf.agent_folder
        return folder

    def connection_for_read(self, heartbeat: float | None = None) -> Any:  # noqa: ARG002  # Redis has none
        """A connection to whoever leads."""
        if self._link is not None:
            self._link.close()
        found = connect(self.app, self._folder, _pause)
        # Commands are answered on this connection: a pool's goes to the first member, which may not lead.
        self.app.control.mailbox.producer_pool = None
        self._link = link_to(brokers(self._folder)[0])
        return found

    def connection_for_write(self, url: str | None = None, heartbeat: float | None = None) -> Any:  # noqa: ARG002
        """The same: there is one broker."""
        return connect(self.app, self._folder, _pause)

    def register_with_event_loop(self, hub: Any) -> None:
        """As Celery does; and look after the broker, which nobody else does while there is nothing to do."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """A broker that hangs, or whose machine is gone, says nothing. An error here is a lost connection."""
        if self._link is None:
            return
        try:
            self._link.ping()
        except redis.RedisError:
            self._ask_no_more()
            raise

    def _ask_no_more(self) -> None:
        """Leave it without a word: kombu closes a channel by asking its broker, and would wait twice."""
        transport = self.connection._transport  # noqa: SLF001  # the property would connect anew
        for channel in (*transport.channels, *transport._avail_channels):  # noqa: SLF001  # has no other name
            channel._in_poll = None  # noqa: SLF001  # whose answer ``close`` waits for
            channel._fanout_queues.clear()  # noqa: SLF001  # whose bindings it takes out


def _pause(wait_s: float) -> None:
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        maybe_shutdown()
        time.sleep(SLICE_S)
