"""Act without the majority, and make way when it is back."""

from __future__ import annotations

import time
from dataclasses import replace

from orchestrator.act.lease import require_lease
from orchestrator.clients import Clients
from orchestrator.model.action import AlreadyDone, Done, Outcome
from orchestrator.model.errors import ConsulUnavailable, Stale, Unfinished
from orchestrator.model.minority import Claim, Minority
from orchestrator.model.minority_actions import (
    ClaimOffice,
    EndMinority,
    GiveWay,
    GoActive,
    PartWays,
    RefuseClaim,
)
from orchestrator.model.snapshot import Role, Switchover, SyncSetting
from orchestrator.record import alone, journal, minority


def part_ways(clients: Clients, action: PartWays) -> Outcome:
    """Let go of the old leader for good, then mark where this database is: its history may be its own now."""
    _require_no_consul(clients)
    clients.postgres.detach(clients.config.timing.detach_timeout_s)
    parted_at = clients.postgres.final_position()
    updated_at = clients.postgres.read().updated_at
    alone_before = alone.read(clients.config) is not None
    mark = Minority(action.term, time.time(), parted_at, updated_at, updated_at, alone_before)
    alone.begin(clients.config, action.term)
    minority.begin(clients.config, mark)
    told = f"{clients.me} lost the majority, and acts without it from {parted_at} on"
    journal.tell(clients, action.term, "minority", told)
    return Done(f"at {parted_at}")


def go_active(clients: Clients, _: GoActive) -> Outcome:
    """Promote the marked database if it is none yet, have it wait for nobody, and let writes in."""
    _require_no_consul(clients)
    mark = minority.read(clients.config)
    if mark is None:
        raise Stale("the mark is gone: the majority is back")
    # It may have been back, and have archived what it had, before it was lost again.
    alone.begin(clients.config, mark.term)
    nobody = SyncSetting()
    if clients.postgres.read().role is Role.STANDBY:
        clients.postgres.prepare_promotion(nobody)
        clients.postgres.promote(clients.config.timing.promote_timeout_s)
    clients.postgres.set_standbys(nobody)
    clients.postgres.set_read_only(read_only=False)
    return Done("what is written is on this node alone")


def _require_no_consul(clients: Clients) -> None:
    try:
        clients.consul.read_lease()
    except ConsulUnavailable:
        return
    raise Stale("decided without the majority, which is back")


def end_minority(clients: Clients, action: EndMinority) -> Outcome:
    """The mark goes. That of having acknowledged alone stays until replicas have everything."""
    require_lease(clients, action.term)
    settle(clients, action.term)
    return Done()


def settle(clients: Clients, term: int) -> None:
    """What this leader wrote alone is the cluster's from now on."""
    if minority.read(clients.config) is not None:
        minority.end(clients.config)
        told = f"{clients.me} leads with what it wrote in minority mode"
        journal.tell(clients, term, "minority_ended", told)


def claim_office(clients: Clients, action: ClaimOffice) -> Outcome:
    """Tell the leader when this node was written to last, and wait for its answer."""
    clients.consul.claim(Claim(clients.me, action.term, action.updated_at))
    return Done()


def refuse_claim(clients: Clients, action: RefuseClaim) -> Outcome:
    """Say no, so that the other node need not wait."""
    require_lease(clients, action.term)
    clients.consul.refuse_claim(action.node, action.term)
    told = f"{action.node} is back from minority mode, and shall follow {clients.me}"
    journal.tell(clients, action.term, "claim_refused", told)
    return Done(action.node)


def give_way(clients: Clients, action: GiveWay) -> Outcome:
    """Stop, with everything marked for the archive, and release the lease for the other node.

    No write is taken between the last look at the time of the newest one and the end.
    """
    own = require_lease(clients, action.term)
    if clients.postgres.read().role is not Role.PRIMARY:
        return AlreadyDone("the database is no primary")
    clients.postgres.set_read_only(read_only=True)
    if clients.postgres.read().updated_at >= action.updated_at:
        clients.consul.refuse_claim(action.node, action.term)
        raise Unfinished(f"this node was updated later than {action.node} after all")
    alone.begin(clients.config, action.term)
    clients.postgres.stop("fast")
    released_at = replace(clients.postgres.shutdown_position(), term=action.term)
    clients.consul.hand_over(own, Switchover(action.term, action.node, released_at, heals=True))
    told = f"{clients.me} gave way to {action.node}, whose database was updated last"
    journal.tell(clients, action.term, "gave_way", told)
    return Done(action.node)
