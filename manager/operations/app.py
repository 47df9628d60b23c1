"""The Celery application on the leader's broker, with every setting that matters in sight.

It is made from settings and connects to nothing by itself. What is sent is never waited for through Celery's
results: an answer is a message of its own (see ``message``).
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from celery import Celery
from kombu.entity import Queue

from manager.operations.message import OPERATIONS
from manager.operations.settings import BrokerSettings

VISIBILITY_S = 3600
"""After this, a message that was fetched and not acknowledged comes back. A second copy does no harm."""


def make_app(broker: BrokerSettings, *more: BrokerSettings, queues: Sequence[str] = (OPERATIONS,)) -> Celery:
    """An application on that broker, or on the first of several that answers.

    ``queues``: those that a worker of it serves; to send, none has to be declared.
    """
    app = Celery("operations", set_as_current=False)
    brokers = (broker, *more)
    app.conf.update(
        broker_url=";".join(map(url_of, brokers)),
        broker_use_ssl=_verifying(broker),
        broker_transport_options={
            "visibility_timeout": VISIBILITY_S,
            "socket_timeout": broker.timeout_s,
            "socket_connect_timeout": broker.connect_timeout_s,
            "socket_keepalive": True,
            # Whether a message has arrived twice is decided by whoever starts an operation.
            "retry_on_timeout": False,
        },
        broker_connection_retry_on_startup=True,
        broker_heartbeat=None,
        task_queues=[_queue(name) for name in queues],
        task_default_queue=queues[0],
        task_default_exchange="",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # An operation that kills its worker must not circle, and one that may run again is sent again.
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_serializer="json",
        accept_content=["json"],
        task_compression=None,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
    )
    return app


def url_of(broker: BrokerSettings) -> str:
    """The broker's address, as kombu takes it."""
    scheme = "rediss" if broker.ca_file else "redis"
    host = f"[{broker.host}]" if ":" in broker.host else broker.host
    return f"{scheme}://:{quote(broker.password, safe='')}@{host}:{broker.port}/0"


def _verifying(broker: BrokerSettings) -> dict[str, Any] | None:
    if broker.ca_file is None:
        return None
    return {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": str(broker.ca_file),
        "ssl_check_hostname": True,
    }


def _queue(name: str) -> Queue:
    return Queue(name, exchange="", routing_key=name)
