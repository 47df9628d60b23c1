"""Invariant 4: when trouble is over, the cluster mends itself within a bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.invariants import Violation

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.machine import Machine

MENDED_WITHIN_S = 60.0
"""Generous: with lost promises, a rewind cut short and a database to rebuild there are many ticks to take."""


def mend_and_wait(cluster: SimCluster) -> None:
    """End all trouble, and wait for a leader that serves, replicas that follow, and a record in full.

    Then the leader is lost for good, in the middle of a blip perhaps, and the others must do without it.
    """
    if cluster.faults is not None:
        cluster.faults.end()
    wait_until_mended(cluster)
    if len(cluster.consul.members) >= 3:
        _lose_the_leader(cluster)
        wait_until_mended(cluster)


def _lose_the_leader(cluster: SimCluster) -> None:
    consul, random = cluster.consul, cluster.pace.random
    leader = cluster.machines[consul.lease.holder or ""]
    if random.random() < 0.5 and consul.lease.session is not None:
        consul.end_session(consul.lease.session, "for no good reason")
        for _ in range(random.randint(0, 120)):
            cluster.schedule.run_one()
            cluster.invariants.check()
    random.choice((leader.crash, leader.kill_programs, leader.freeze))()
    cluster.tell(leader.name, "is lost for good")
    leader.lost = True


def wait_until_mended(cluster: SimCluster) -> None:
    """Let the world go on until all is well. Raises ``Violation`` when that takes too long."""
    until_s = cluster.schedule.now_s + MENDED_WITHIN_S
    missing = "?"
    while missing and cluster.schedule.run_one(until_s):
        cluster.invariants.check()
        if cluster.schedule.steps % 20 == 0:
            missing = what_is_missing(cluster)
    if missing:
        raise Violation(f"the cluster does not mend itself: {missing}")


def what_is_missing(cluster: SimCluster) -> str:
    """What is not yet as it should be; empty when all is well."""
    leader = cluster.machines.get(cluster.consul.lease.holder or "")
    if leader is None:
        return "nobody leads"
    if not leader.serves or leader.lost:
        return f"{leader.name} leads and does not serve"
    missing = _missing_of_the_record(cluster, leader) or _missing_of_the_others(cluster, leader)
    return missing or (_missing_of_the_files(cluster, leader) if cluster.with_files else "")


def _others(cluster: SimCluster, leader: Machine) -> set[str]:
    lost = {name for name, machine in cluster.machines.items() if machine.lost}
    return set(cluster.consul.members) - lost - {leader.name}


def _missing_of_the_record(cluster: SimCluster, leader: Machine) -> str:
    consul, others, server = cluster.consul, _others(cluster, leader), leader.database.need()
    record, k = consul.record, min(len(consul.members) // 2, len(others))
    if record is None or (record.leader, record.term) != (leader.name, consul.lease.term):
        return "the sync record is not the leader's"
    if (record.k, record.members) != (k, others):
        return f"the sync record has only {record.k} of {sorted(record.members)}"
    if (server.in_force.k, server.in_force.members) != (k, others):
        return f"{leader.name} does not wait for {record.k} of {sorted(record.members)}"
    return ""


def _missing_of_the_others(cluster: SimCluster, leader: Machine) -> str:
    for name in sorted(_others(cluster, leader)):
        server = cluster.machines[name].database.server
        if server is None or server.receiver is None or server.receiver.sender is not leader.database.server:
            return f"{name} does not follow {leader.name}"
    for name in cluster.consul.removed:
        if cluster.machines[name].database.server is not None:
            return f"{name} was removed, and its database runs"
    return ""


def _missing_of_the_files(cluster: SimCluster, leader: Machine) -> str:
    """Every row has its unit and every unit its row, on the leader and on each replica."""
    named = {
        cluster.rows[record.number] for record in leader.database.disk.wal if record.number in cluster.rows
    }
    kept = {name: machine for name, machine in cluster.machines.items() if not machine.lost}
    everywhere = set().union(*(machine.units for machine in kept.values()))
    if (gone := named - everywhere) and not gone <= cluster.invariants.unprotected:
        return f"nobody has {', '.join(sorted(gone))} any more"
    for name in sorted({leader.name, *_others(cluster, leader)}):
        machine = cluster.machines[name]
        if lacking := (named & everywhere) - machine.units:
            return f"{name} lacks {', '.join(sorted(lacking))}"
        # While something is missing for good, nobody deletes anything.
        surplus = machine.units - named - machine.uploading
        if surplus and not gone and not any(other.uploading for other in kept.values()):
            return f"{name} still has {', '.join(sorted(surplus))}"
    return ""
