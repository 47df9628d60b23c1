"""Importing this imports what the services of a node have in common: it is done once, before they are forked.

Nothing here reads the node's configuration: a service that is started again reads it anew.
"""

from __future__ import annotations

from importlib import import_module

SHARED = (
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.beat",
    "celery.concurrency.solo",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.pidbox",
    "celery.worker.strategy",
    "kombu.asynchronous.hub",
    "kombu.transport.redis",
    "orchestrator.formation.join",
    "orchestrator.formation.remove",
    "orchestrator.formation.start",
    "orchestrator.wiring",
    "orchestrator.watcher",
)
"""What no service imports before it needs it is named as well: later, each would have it for itself."""

for _name in SHARED:
    import_module(_name)
