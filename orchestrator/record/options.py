"""A node's options are changed in Consul by whoever was asked; the node itself takes them over."""

from __future__ import annotations

import logging
from dataclasses import replace

from orchestrator.clients import Clients
from orchestrator.model.errors import BadOption, ConsulUnavailable
from orchestrator.model.snapshot import MembershipState, Snapshot
from orchestrator.model.spec import Options
from orchestrator.record import membership

log = logging.getLogger(__name__)


def adopt(clients: Clients, snapshot: Snapshot, present: Options) -> None:
    """Take over options that were changed since; the next tick builds the node anew with them.

    ``consul_raft_multiplier`` goes into Consul's own configuration, which is written by start and join only.
    """
    registered = snapshot.cluster.members.get(snapshot.me) if snapshot.cluster else None
    if registered is None:
        return
    try:
        wanted = Options().updated(registered.options)
    except BadOption as error:
        log.warning("Options of another version are ignored: %s", error)
        return
    if wanted == present:
        return
    try:
        clients.consul.register_checks(clients.config.timing.heartbeat_ttl_s * wanted.check_ttl_multiplier)
    except ConsulUnavailable as error:
        log.warning("Options are not taken over yet: %s", error)
        return
    path = clients.config.paths.membership_file
    belongs = membership.read(path)
    if belongs.state is not MembershipState.MEMBER:
        return
    membership.write(path, replace(belongs, options=wanted.as_dict()))
    log.info("Options are now %s", wanted)
