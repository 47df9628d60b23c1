"""The node's certificates as tasks: they are renewed on its own queue, and looked at once a day."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from celery.signals import worker_ready

from orchestrator.formation import certificates, renewing
from orchestrator.formation.authority import STEPS
from orchestrator.formation.renewing import Renewal
from orchestrator.model.errors import ClusterError
from tasks.actions import ACTIONS_LOCK
from tasks.app import HEALTH, app, config
from tasks.exclusive import exclusively
from tasks.node import current_node

log = logging.getLogger(__name__)

RENEW_TIME_LIMIT_S, LOOK_TIME_LIMIT_S = 120, 30

# One that was interrupted is not repeated by itself: whoever asked for it asks again.
ASKED_FOR = {"time_limit": RENEW_TIME_LIMIT_S, "acks_late": False, "throws": (ClusterError, OSError)}


@app.task(name="certificates.renew", **ASKED_FOR)
def renew(**fields: Any) -> dict[str, Any]:
    """Renew this node's certificates; the fields are those of ``Renewal``."""
    wanted = Renewal(**{**fields, "only": tuple(fields.get("only", ()))})
    # Nobody starts a server, or joins a cluster, while what they do that with is replaced.
    with exclusively(ACTIONS_LOCK, wait=True):
        return asdict(renewing.renew(current_node().clients, wanted))


@app.task(
    name="certificates.replace_ca",
    time_limit=RENEW_TIME_LIMIT_S,
    acks_late=False,
    throws=(ClusterError, OSError),
)
def replace_ca(step: str, authority: str = "") -> dict[str, Any]:
    """One step of ``authority.STEPS``, with the certificate of the new CA, or certificate and key."""
    with exclusively(ACTIONS_LOCK, wait=True):
        return asdict(STEPS[step](current_node().clients, authority))


@app.task(name="certificates.look", time_limit=LOOK_TIME_LIMIT_S, ignore_result=True)
def look() -> None:
    """Say in the log which certificates end soon."""
    for warning in certificates.warnings(config):
        log.warning("%s", warning)


@worker_ready.connect
def look_when_the_node_starts(sender: Any, **_: object) -> None:
    """The daily look comes a day after the start."""
    if sender.hostname.startswith(f"{HEALTH}@"):
        look.apply_async(expires=LOOK_TIME_LIMIT_S)
