"""Observe the lease, and everything else that the members share in Consul."""

from __future__ import annotations

import logging
from dataclasses import replace

from orchestrator.clients import Clients
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.snapshot import ClusterView
from orchestrator.observe.stopwatch import Stopwatch

log = logging.getLogger(__name__)


def renew_and_read(
    clients: Clients, stopwatch: Stopwatch, now_s: float, patience_s: float
) -> ClusterView | None:
    """Pass the heartbeat, then read through the servers what is true after it. None: cut off.

    Consul is not waited for longer than ``patience_s``, all in all.

    The order matters. Passing a check is answered by the local agent alone and proves nothing; the
    consistent read that follows it shows that the servers are there and still know the session.
    """
    try:
        with clients.consul.within(patience_s):
            clients.consul.pass_check("heartbeat")
            view = clients.consul.view()
            health = clients.consul.health()
    except ConsulUnavailable as error:
        log.warning("Cut off: %s", error)
        return None
    lease = view.lease
    seen_s = stopwatch.held_s("lease", (lease.modified, lease.session), now_s)
    return replace(view, lease_seen_s=seen_s, health=health)
