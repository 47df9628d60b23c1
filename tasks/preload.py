"""Importing this imports what the services of a node have in common: it is done once, before they are forked.

With it comes the node's configuration, as it is on file at that moment. A service that is started when the
file has changed is not forked but started from the beginning (``forking_supervisord``).
"""

from __future__ import annotations

from importlib import import_module

from orchestrator.clients.consul import codec, view
from tasks.app import app, set_levels
from tasks.handler_runner import prepare

SHARED = (
    "billiard.pool",
    "celery.app.control",
    "celery.app.log",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.beat",
    "celery.concurrency.solo",
    "celery.events.receiver",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.pidbox",
    "celery.worker.strategy",
    "kombu.asynchronous.hub",
    "kombu.transport.redis",
    "orchestrator.guard",
    "orchestrator.wiring",
    "orchestrator.watcher",
    "tasks.check_runner",
    "tasks.watch",
)
"""What no service imports before it needs it is named as well: later, each would have it for itself. The
services that are modules of ours are called after the fork, and not carried out once more."""

for _name in SHARED:
    import_module(_name)

set_levels()
codec.prepare(view.KINDS)
prepare(app)
