"""The Celery application of one node, with every setting that matters in sight.

Broker and results are a Redis of this node alone, on a Unix socket: nothing that runs here depends on
another machine, and least of all on the one that it is to rescue.
"""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler

from orchestrator.clients.lean import missing, without

# What is not used of them: a Redis client for asyncio, and messages in YAML.
with without("redis.asyncio"):
    import redis  # noqa: F401  # imported here first, for the broker's clients
with missing("yaml"):
    from celery import Celery
    from celery.signals import setup_logging
    from kombu.entity import Queue

from orchestrator.config import NodeConfig, config_file, load
from orchestrator.model.errors import ConfigurationError
from tasks import time_limits  # noqa: F401 - it listens to the start and end of each task
from tasks.schedule import beat_schedule

HEALTH, CLUSTER, FILES = "health", "cluster", "files"

QUESTIONS = ("begin", "status", "plan", "pause", "resume", "history", "balanced", "force_leader")
"""Tasks of ``formation`` that are answered at once, whatever work is being done."""

ROUTES = {
    "tick": {"queue": HEALTH},
    "certificates.look": {"queue": HEALTH},
    **{f"formation.{name}": {"queue": HEALTH} for name in QUESTIONS},
    **{f"{verb}_files": {"queue": FILES} for verb in ("sync", "gather", "sweep")},
}
"""All other tasks are work, and wait for each other in the queue of actions."""


def _configuration() -> NodeConfig:
    """The node's configuration; without a file, the defaults, so that the tasks can be imported anywhere."""
    try:
        return load()
    except ConfigurationError:
        if config_file().exists():
            raise
        return NodeConfig()


config = _configuration()
_redis = config.paths.redis_socket

app = Celery("tasks")
app.conf.update(
    broker_url=f"redis+socket://{_redis}?virtual_host=0",
    result_backend=f"redis+socket://{_redis}?virtual_host=1",
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # A message whose worker was killed comes back after this time. The loop does not wait for that.
        "visibility_timeout": 30,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
    },
    task_queues=[Queue(HEALTH), Queue(CLUSTER), Queue(FILES)],
    task_routes=ROUTES,
    task_default_queue=CLUSTER,
    task_create_missing_queues=False,
    task_acks_late=True,
    # The next tick decides anew; a task that kills its worker must not circle.
    task_reject_on_worker_lost=False,
    task_serializer="json",
    accept_content=["json"],
    result_serializer="json",
    result_expires=3600,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    beat_schedule=beat_schedule(config.timing.tick_interval_s),
    beat_max_loop_interval=config.timing.tick_interval_s,
    imports=("tasks.tick", "tasks.actions", "tasks.formation", "tasks.certificates"),
    timezone="UTC",
)


LEVELS = {
    "": logging.INFO,
    # These two say a line for every task, which at one tick a second drowns everything else.
    "celery.worker.strategy": logging.WARNING,
    "celery.beat": logging.WARNING,
    # Why an action was not done stands in the journal, in one line.
    "celery.app.trace": logging.ERROR,
    "paramiko": logging.WARNING,
}


def set_levels() -> None:
    """Set what is logged, where that is not so yet: each change writes into every logger that there is."""
    for name, level in LEVELS.items():
        logger = logging.getLogger(name)
        if logger.level != level:
            logger.setLevel(level)


@setup_logging.connect
def log_to_cluster_log(**_: object) -> None:
    """All of a node's processes write one log, a line at a time."""
    config.paths.log.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [WatchedFileHandler(config.paths.cluster_log), logging.StreamHandler()]
    logging.basicConfig(
        handlers=handlers,
        format="%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        force=True,
    )
    set_levels()
