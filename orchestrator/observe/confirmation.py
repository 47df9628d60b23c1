"""Ask the members directly whether they follow this leader, when Consul cannot be asked (``safety.md``)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from orchestrator.clients import Clients
from orchestrator.clients.clock import now_s
from orchestrator.record import office
from orchestrator.record.lease_file import LeaseState

log = logging.getLogger(__name__)

HALF = 0.5
"""Of what is left of a lease, Consul may take so much to answer: the members have to be asked in the rest."""

ALMOST_ALL = 0.8
LONGEST_S = 5.0
"""However long the lease lasts: a tick has its own limit, and one member that hangs must not use it up."""

SLOW_S = 0.3
"""Much longer than Consul takes when all is well."""

WORD_LASTS = 2.0
"""A word is given for so many times to live of the lease: when Consul is back, the leader takes its lease
again before the members take part in a round."""


def patience_s(told: LeaseState) -> float:
    """For how long Consul may be waited for in all, so that a leader can still turn to the members."""
    left_s = told.valid_until_s - now_s()
    return HALF * left_s if told.serves and left_s > 0 else math.inf


@contextmanager
def made_ready(clients: Clients, told: LeaseState) -> Iterator[None]:
    """When Consul keeps a leader waiting, load meanwhile what it takes to ask the members.

    On a busy machine that takes as long as there is to ask them in.
    """
    timer = Timer(SLOW_S, clients.peers.make_ready)
    timer.daemon = True
    if told.serves:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def confirmed_until_s(clients: Clients, told: LeaseState, ttl_s: float) -> float:
    """Until when this node leads by the word of the members; 0 when it does not lead, or they do not say so.

    Dated with the moment before they were asked, as a renewal is, and shorter than their word by the guard's
    margin at least.
    """
    asked_at_s = now_s()
    known = office.read(clients.config)
    if known is None or known.term != told.term or not told.leads(asked_at_s):
        return 0.0
    timeout_s = min(LONGEST_S, ALMOST_ALL * (told.valid_until_s - asked_at_s))
    follow = clients.peers.confirm(known, WORD_LASTS * ttl_s, timeout_s)
    if not known.is_confirmed_by(follow):
        log.warning(
            "Consul cannot be asked, and only these confirm this leader: %s", ", ".join(sorted(follow))
        )
        return 0.0
    return asked_at_s + ttl_s - clients.config.timing.guard_margin_s
