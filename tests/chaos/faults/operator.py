"""What operators do while things happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from orchestrator.model.errors import ClusterError
from tests.chaos.bed import Host
from tests.chaos.faults.catalogue import fault
from tests.chaos.world import World


@fault("hand over to {host}", "an operator asks for another leader (cfy cluster set-active)")
def hand_over(world: World, host: Host) -> Iterator[None]:
    # A refusal is an answer: it leads already, or cannot lead now.
    with suppress(ClusterError):
        world.cluster.client().request("PATCH", "/cluster", json={"master": host.name})
    yield
