"""The brokers of the members: which of them takes the agent, and whether it is still there.

The members are the alternates of one connection of kombu, which goes from one to the next when it is refused.
After a round without success it is the agent that waits: 1, 2, 4 ... 30 s, for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import redis
from celery import Celery
from kombu.connection import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from agent.settings import Folder
from manager.operations.app import make_app, url_of
from manager.operations.message import agent_queue
from manager.operations.settings import BrokerSettings

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
LONGEST_WAIT_S = 30.0
UNSEEN_S = 60
"""After this, a message comes back that was fetched, but of which the agent knows nothing: it was killed."""


class NobodyLeads(Exception):
    """No member has a broker that takes the agent."""


def brokers(folder: Folder) -> list[BrokerSettings]:
    """Those of all members, in the order in which they are tried. Raises ``NotConfigured``."""
    settings = folder.settings()
    return [
        BrokerSettings(
            member, settings.broker_port, settings.broker_password, folder.ca_file, TIMEOUT_S, TIMEOUT_S
        )
        for member in folder.in_turn()
    ]


def app_of(folder: Folder) -> Celery:
    """The application of this agent."""
    queue = agent_queue(folder.settings().name)
    found = brokers(folder)
    app = make_app(found[0], *found[1:], queues=(queue,))
    kept = {"unacked_key": f"{queue}.unacked", "unacked_index_key": f"{queue}.unacked-index"}
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        **kept,
        "unacked_mutex_key": f"{queue}.unacked-mutex",
        "visibility_timeout": UNSEEN_S,
        "max_retries": 0,
    }
    return app


def waits() -> Iterator[float]:
    """How long to wait after each round, in seconds."""
    wait_s = 1.0
    while True:
        yield wait_s
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def connect(app: Celery, folder: Folder, pause: Callable[[float], None]) -> Connection:
    """A connection to the broker of whoever leads, however long it takes. ``pause`` waits for seconds."""
    for wait_s in waits():
        try:
            return one_round(app, folder)
        except NobodyLeads as error:
            log.warning(
                "No member of the cluster takes this agent; it tries again in %g s: %s", wait_s, error
            )
        pause(wait_s)
    raise AssertionError("The waits have ended.")


def one_round(app: Celery, folder: Folder) -> Connection:
    """Ask each member once. Raises ``NobodyLeads``."""
    # The list is read anew: it may have changed while nobody could be reached.
    found: Connection = app.connection_for_read(url=";".join(map(url_of, brokers(folder))))
    refusals: list[str] = []

    def refused(error: Exception, wait_s: float) -> None:
        refusals.append(f"{found.hostname}: {error}")
        if wait_s:
            raise NobodyLeads("; ".join(refusals))

    found.ensure_connection(refused, interval_start=1)
    folder.note_active(str(found.hostname))
    return found


def ping(broker: BrokerSettings) -> str | None:
    """What is wrong with a broker; None when it takes the agent."""
    try:
        with link_to(broker) as link:
            link.ping()
    except redis.RedisError as error:
        return str(error)
    return None


def link_to(broker: BrokerSettings) -> redis.Redis:
    """A plain connection, made when it is first used: to look whether a broker is there."""
    secure: dict[str, Any] = {}
    if broker.ca_file is not None:
        secure = {
            "ssl_cert_reqs": "required",
            "ssl_ca_certs": str(broker.ca_file),
            "ssl_check_hostname": True,
        }
    link: redis.Redis = redis.Redis.from_url(
        url_of(broker),
        socket_timeout=broker.timeout_s,
        socket_connect_timeout=broker.connect_timeout_s,
        retry=Retry(NoBackoff(), 0),
        **secure,
    )
    return link
