"""Observe which services run, and judge whether those that should run here do."""

from __future__ import annotations

import logging

from orchestrator.clients import Clients
from orchestrator.model.errors import ServicesUnavailable
from orchestrator.model.spec import Spec

log = logging.getLogger(__name__)

EVERYWHERE = frozenset({"consul", "redis", "check-runner", "handler-runner", "consul-watcher", "restservice"})
"""Services that every member runs beside its database."""


def running(clients: Clients) -> frozenset[str]:
    """The services that run now; none, when the service manager does not answer."""
    try:
        return clients.services.running()
    except ServicesUnavailable as error:
        log.warning("Services cannot be seen: %s", error)
        return frozenset()


def are_well(running_now: frozenset[str], spec: Spec, *, leads: bool) -> bool:
    """Whether the ``services`` check passes."""
    wanted = EVERYWHERE | (spec.leader_services if leads else frozenset())
    return wanted <= running_now
