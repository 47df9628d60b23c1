"""Tells agents which members there are, whenever that is not what they have said they know.

Nothing is remembered but what an agent has confirmed: so it does not matter when the leader changes, or the
agent was away. It is done in rounds, on the leader.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy import cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from manager.errors import RestError
from manager.gateway.agents import MembersNow
from manager.models import Agent
from manager.operations.agents import MEMBERS, hostname
from manager.slots import WriteSlot
from manager.storage import Storage

log = logging.getLogger(__name__)

EVERY_S = 10.0
ANSWER_S = 2.0
AT_ONCE = 200


class Following:
    """Of one leader. ``run`` is the work of a thread of its own."""

    def __init__(self, app: Celery, storage: Storage, members: MembersNow) -> None:
        self._app, self._storage, self._members = app, storage, members

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self.run, name="following", daemon=True).start()

    def run(self) -> None:
        """Never ends; what goes wrong in one round may go well in the next."""
        pause = threading.Event()
        while True:
            try:
                self.once()
            except (RestError, RedisError, OperationalError, OSError) as error:
                log.warning("Agents could not be told of the members: %s", error)
            pause.wait(EVERY_S)

    def once(self) -> None:
        """Tell those who do not know. Raises ``RestError``, and what kombu and redis do."""
        if not self._outdated([]):
            return
        members = sorted(self._members())
        names = self._outdated(members)
        for first in range(0, len(names), AT_ONCE):
            told = self._tell(names[first : first + AT_ONCE], members)
            self._note(told, members)

    def _outdated(self, members: Sequence[str]) -> list[str]:
        """Agents of which another list is known than this one, or none."""
        known = or_(Agent.members.is_(None), Agent.members != cast(list(members), JSONB))
        with self._storage.reading() as session:
            return list(session.scalars(select(Agent.name).where(known).order_by(Agent.pk)))

    def _tell(self, names: Sequence[str], members: Sequence[str]) -> list[str]:
        """Those that have it now."""
        by_host = {hostname(name): name for name in names}
        replies: list[dict[str, Any]] = self._app.control.broadcast(
            MEMBERS,
            arguments={"members": list(members)},
            destination=list(by_host),
            reply=True,
            timeout=ANSWER_S,
            limit=len(by_host),
        )
        said = {host: told for reply in replies or () for host, told in reply.items()}
        return [by_host[host] for host, told in said.items() if told.get("members") == list(members)]

    def _note(self, names: Sequence[str], members: Sequence[str]) -> None:
        if not names:
            return
        log.info("Told %d agents that the members are %s.", len(names), ", ".join(members))
        with self._storage.writing(WriteSlot()) as session:
            session.execute(
                update(Agent)
                .where(Agent.name.in_(names))
                .values(members=list(members), updated_at=func.now())
            )
