"""Stories played on purpose, for mutations that chance brings to light too seldom.

Without the mutation each of them ends well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.model.action import Follow, SetStandbys
from tests.simulation.liveness import what_is_missing

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.machine import Machine

PATIENCE_S = 60.0


def run_until(cluster: SimCluster, condition: Callable[[], bool]) -> None:
    """Let the world go on until something is so; the invariants hold meanwhile."""
    until_s = cluster.schedule.now_s + PATIENCE_S
    while not condition() and cluster.schedule.run_one(until_s):
        cluster.invariants.check()
    assert condition(), f"this story has changed; lease: {cluster.consul.lease}"


def is_about_to(machine: Machine, kind: type) -> bool:
    """Whether a worker has just begun with an action."""
    story = machine.cluster.story
    return bool(story) and story[-1][1] == machine.name and isinstance(story[-1][2][-1], kind)


def a_setting_is_left_on_disk(cluster: SimCluster) -> None:
    """n3 comes back and is gone again, while n1's worker is frozen just before it has PostgreSQL wait for it.

    The worker wakes up, writes that down, and is killed before PostgreSQL has read it. n3 has been away for
    long enough by now: the record is narrowed to n2. Then something else makes PostgreSQL read its files,
    and n3 comes back.
    """
    n1, n2, n3 = cluster.machines.values()
    both, only_n2 = frozenset({"n2", "n3"}), frozenset({"n2"})
    run_until(cluster, lambda: not what_is_missing(cluster))
    n3.crash()
    run_until(cluster, lambda: cluster.consul.record.members == only_n2)
    n3.boot()
    run_until(cluster, lambda: n1.plan is not None and isinstance(n1.plan.actions[0], SetStandbys))
    n1.freeze("worker")
    n3.crash()
    gone_s = cluster.schedule.now_s
    run_until(cluster, lambda: cluster.schedule.now_s > gone_s + cluster.timing.drop_after_s - 0.1)
    n1.thaw()
    run_until(cluster, lambda: n1.database.disk.setting.members == both)
    assert n1.database.need().setting.members == only_n2
    n1.worker.kill()
    n1.worker.start(0.3)
    run_until(cluster, lambda: cluster.consul.record.members == only_n2 and n1.plan is None)
    n1.database.reload()
    n1.freeze("worker")
    n3.boot()
    run_until(cluster, lambda: "n3" in n1.database.need().senders)
    n2.freeze("database")
    cluster.schedule.run_for(1.0, cluster.invariants.check)


def the_lease_is_taken_late(cluster: SimCluster) -> None:
    """n3 is frozen when it is about to take the lease; n2 takes it, and leads on with n1.

    Consul is late to see that n3 has stopped, and leaves it its session. n3 wakes up in the very moment in
    which n2 has lost the lease by a blip.
    """
    n1, n2, n3 = cluster.machines.values()
    run_until(cluster, lambda: not what_is_missing(cluster))
    n1.kill_programs()
    run_until(cluster, lambda: "n3" in cluster.consul.sessions.values())
    n3.freeze("worker", "ticker")
    cluster.consul.late_for_s["n3"] = cluster.schedule.now_s + PATIENCE_S
    n1.boot()
    run_until(cluster, lambda: n2.serves)
    cluster.schedule.run_for(3.0, cluster.invariants.check)
    cluster.consul.end_session(cluster.consul.lease.session, "for no good reason")
    n3.thaw()
    cluster.schedule.run_for(10.0, cluster.invariants.check)


def an_old_leader_wakes_up_with_writes_that_wait(cluster: SimCluster) -> None:
    """n1 stops renewing, and goes on taking writes that nobody confirms. n3 is elected, and dies in between.

    n1 wakes up and leads again. n2 follows, and confirms some of the writes that have waited since before
    n1's new term began; then n1 dies, and n3 comes back.
    """
    n1, _, n3 = cluster.machines.values()
    run_until(cluster, lambda: not what_is_missing(cluster))
    n1.ssh_listens = False
    n1.freeze("ticker", "worker", "guard")
    run_until(cluster, lambda: cluster.consul.lease.holder == "n3")
    run_until(cluster, lambda: n3.database.position.term == cluster.consul.lease.term)
    n3.crash()
    run_until(cluster, lambda: cluster.consul.lease.free)
    n1.thaw()
    n1.freeze("guard")
    run_until(cluster, lambda: cluster.consul.lease.holder in ("n1", "n2"))
    acknowledged = len(cluster.invariants.writes)
    run_until(cluster, lambda: len(cluster.invariants.writes) > acknowledged)
    n1.crash()
    n3.boot()
    cluster.schedule.run_for(15.0, cluster.invariants.check)


def an_action_outlives_its_worker(cluster: SimCluster) -> None:
    """n3 is about to follow n1 after a blip, when its worker is killed; the action goes on later, by itself.

    Meanwhile n1 has lost the lease without knowing it, n3 has promised to leave it, and n2 is elected.
    """
    n1, n2, n3 = cluster.machines.values()
    run_until(cluster, lambda: not what_is_missing(cluster))
    cluster.consul.end_session(cluster.consul.lease.session, "for no good reason")
    run_until(cluster, lambda: is_about_to(n3, Follow))
    cluster.schedule.run_for(0.008, cluster.invariants.check)
    n3.kill_worker()
    n3.services_well = False
    run_until(cluster, lambda: n1.serves)
    n1.freeze("ticker", "worker", "guard")
    run_until(cluster, lambda: cluster.consul.lease.holder == "n2")
    n1.freeze()
    run_until(cluster, lambda: n2.database.is_primary)
    n1.thaw()
    n1.freeze("ticker", "worker", "guard")
    n3.ticker.actor.freeze()
    n3.thaw()
    cluster.schedule.run_for(5.0, cluster.invariants.check)
