"""Stories played on purpose, for mutations that chance brings to light too seldom.

Without the mutation each of them ends well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.model.action import Follow, HandOver, SetStandbys
from orchestrator.model.file_actions import SweepFiles
from orchestrator.model.snapshot import Switchover
from tests.simulation.liveness import wait_until_mended, what_is_missing

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
    """n1 stops renewing, and goes on taking writes that nobody confirms. n3 is elected, and dies.

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


def a_database_ends_in_disorder_while_it_is_handed_over(cluster: SimCluster) -> None:
    """n1 is about to hand over to n2, when its database is killed: nobody knows what its last position is."""
    n1 = cluster.machines["n1"]
    run_until(cluster, lambda: not what_is_missing(cluster))
    cluster.consul.switchover = Switchover(cluster.consul.lease.term, "n2")
    run_until(cluster, lambda: is_about_to(n1, HandOver))
    n1.kill_database()
    wait_until_mended(cluster)


def the_leader_hangs_but_its_guard(cluster: SimCluster) -> None:
    """The leader's ticks and worker hang; its database goes on taking writes, until the guard stops it."""
    _unreachable_leader(cluster).freeze("ticker", "worker")
    _n2_reports_and_hangs_while_n3_is_elected(cluster)


def the_leader_hangs_but_its_database(cluster: SimCluster) -> None:
    """The guard hangs as well: nothing on the leader's own machine stops its database."""
    _unreachable_leader(cluster).freeze("ticker", "worker", "guard")
    _n2_reports_and_hangs_while_n3_is_elected(cluster)


def _n2_reports_and_hangs_while_n3_is_elected(cluster: SimCluster) -> None:
    n2 = cluster.machines["n2"]
    run_until(cluster, lambda: cluster.consul.lease.free)
    run_until(cluster, lambda: "n2" in cluster.consul.reports)
    n2.freeze("worker")
    run_until(cluster, lambda: cluster.machines["n3"].database.is_primary)
    cluster.schedule.run_for(2.0, cluster.invariants.check)
    n2.thaw()
    cluster.schedule.run_for(5.0, cluster.invariants.check)


def a_replica_restarts_and_reads_what_was(cluster: SimCluster) -> None:
    """n3 promises to leave n1 and reports, loses power, comes back, and sees the cluster as it was before.

    n1 knows nothing of all that: its ticks, worker and guard hang. Meanwhile n2 is elected.
    """
    n1 = _unreachable_leader(cluster)
    n3, before = cluster.machines["n3"], cluster.consul.view()
    n1.freeze("ticker", "worker", "guard")
    run_until(cluster, lambda: "n3" in cluster.consul.reports and cluster.consul.lease.free)
    run_until(cluster, lambda: cluster.consul.reports["n3"].round == cluster.consul.lease.modified)
    n3.crash()
    run_until(cluster, lambda: cluster.consul.lease.holder == "n2")
    n3.sees = before
    n3.boot()
    cluster.schedule.run_for(5.0, cluster.invariants.check)


def a_replica_that_has_promised_reads_what_was(cluster: SimCluster) -> None:
    """n2 promises to leave n1 and reports, n3 is elected, and then n2 sees the cluster as it was before.

    n1 knows nothing of all that: its ticks, worker and guard hang.
    """
    n1 = _unreachable_leader(cluster)
    n2, before = cluster.machines["n2"], cluster.consul.view()
    n1.freeze("ticker", "worker", "guard")
    run_until(cluster, lambda: cluster.consul.lease.holder == "n3")
    n2.sees = before
    cluster.schedule.run_for(5.0, cluster.invariants.check)


def a_leader_takes_its_time_to_announce_itself(cluster: SimCluster) -> None:
    """n1 hangs, but for its database. n3 takes the lease, and hangs before it does anything with it."""
    n1 = _unreachable_leader(cluster)
    n3 = cluster.machines["n3"]
    n1.freeze("ticker", "worker", "guard")
    run_until(cluster, lambda: cluster.consul.lease.holder == "n3")
    n3.freeze("worker")
    cluster.schedule.run_for(2.0, cluster.invariants.check)
    n3.thaw()
    cluster.schedule.run_for(5.0, cluster.invariants.check)


def an_upstream_is_rebuilt_behind_a_standby_that_hangs(cluster: SimCluster) -> None:
    """n3 leads after n1, is followed by n2, whose loop hangs then, and dies before anything is acknowledged.

    n1 comes back and leads again, on a timeline of the same number, as it has never heard of that of n3. When
    n3 comes back as a copy of n1, the database of n2 still asks it for more.
    """
    n1, n2, n3 = cluster.machines.values()
    run_until(cluster, lambda: not what_is_missing(cluster))
    n1.crash()
    run_until(cluster, lambda: cluster.consul.announcement.leader == "n3")
    n3.freeze("worker")
    run_until(cluster, lambda: n2.database.disk.wal == n3.database.disk.wal)
    n2.freeze("ticker", "worker")
    n3.thaw()
    n3.crash()
    n1.boot()
    run_until(cluster, lambda: n1.database.is_primary)
    assert n1.database.position.timeline == n2.database.position.timeline
    n3.boot()
    run_until(cluster, lambda: n1.serves)
    cluster.schedule.run_for(10.0, cluster.invariants.check)


def the_longer_log_is_the_older_one(cluster: SimCluster) -> None:
    """n1 dies with many writes that nobody confirmed. n3 leads on, confirms some with n2, and dies.

    n1 comes back just when n2 could take the lease, but is slow to do so.
    """
    n1, n2, n3 = cluster.machines.values()
    run_until(cluster, lambda: not what_is_missing(cluster))
    n2.slow = n3.slow = True
    cluster.schedule.run_for(2.0, cluster.invariants.check)
    n1.crash()
    n2.slow = n3.slow = False
    run_until(cluster, lambda: n3.serves)
    acknowledged = len(cluster.invariants.writes)
    run_until(cluster, lambda: len(cluster.invariants.writes) > acknowledged + 3)
    n3.crash()
    n1.boot()
    n1.freeze("worker")
    n2.database_changed()
    run_until(cluster, lambda: cluster.consul.lease.free)
    run_until(cluster, lambda: cluster.consul.reports["n2"].round == cluster.consul.lease.modified)
    n2.freeze("worker")
    n1.thaw()
    cluster.schedule.run_for(5.0, cluster.invariants.check)
    n2.thaw()
    cluster.schedule.run_for(10.0, cluster.invariants.check)


def _unreachable_leader(cluster: SimCluster) -> Machine:
    """The leader of a cluster that is well, but nobody can fence it by force."""
    run_until(cluster, lambda: not what_is_missing(cluster))
    cluster.machines["n1"].ssh_listens = False
    return cluster.machines["n1"]


def an_upload_is_killed_while_its_row_waits(cluster: SimCluster) -> None:
    """n1's replicas take nothing more, so the row of an upload waits for them. Its REST service is killed.

    n1 sweeps: nobody is uploading any more, and the row is not seen yet. Then the replicas confirm it.
    """
    n1, n2, n3 = cluster.machines.values()
    run_until(cluster, lambda: not what_is_missing(cluster) and bool(cluster.invariants.uploads))
    n2.slow = n3.slow = True

    def row_waits() -> bool:
        wal = n1.database.disk.wal
        return any(wal[index].number in cluster.rows for index in n1.database.need().waiting)

    run_until(cluster, row_waits)
    n1.rest.kill()
    n1.uploading.clear()
    run_until(cluster, lambda: is_about_to(n1, SweepFiles))
    cluster.schedule.run_for(0.5, cluster.invariants.check)
    n2.slow = n3.slow = False
    n2.database_changed()
    n3.database_changed()
    cluster.schedule.run_for(2.0, cluster.invariants.check)
