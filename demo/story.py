"""The main job, step by step: a cluster is formed, loses its leader under load, and loses nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from demo import errands
from demo.cfy import Cfy, form
from demo.cluster import Cluster
from demo.errands import Outcome
from demo.node import Node
from demo.phases import Moment, phases
from demo.teller import Teller
from demo.writer import Acknowledged, Journal, Verdict, Writer, check
from orchestrator.model.errors import ClusterError, Unfinished

FORM_TIMEOUT_S = 120.0
WARM_UP_WRITES = 100
WRITE_TIMEOUT_S = 30.0
FAILOVER_TIMEOUT_S = 60.0
RETURN_TIMEOUT_S = 120.0


class DataLost(ClusterError):
    """Something that had been acknowledged is gone. This must never be raised."""


@dataclass(frozen=True, slots=True)
class Failover:
    """What a failover cost. Durations in seconds."""

    old_leader: str
    new_leader: str
    interruption_s: float
    phases_s: Mapping[str, float]


def tell_formation(cluster: Cluster, cfy: Cfy, teller: Teller) -> Node:
    """Form the cluster by its commands; returns the leader."""
    teller.title("One cluster of them, with the command line")
    leader = form(cluster, cfy, FORM_TIMEOUT_S)
    cfy.use(leader)
    cfy.run("cluster", "nodes", "list")
    return leader


def tell_profiles(cluster: Cluster, cfy: Cfy, teller: Teller) -> None:
    """Make a profile for each manager, and leave the first one in use."""
    teller.title("A profile for each of them")
    for node in reversed(cluster.bed.nodes):
        cfy.use(node)


def tell_failover(cluster: Cluster, cfy: Cfy, teller: Teller) -> None:
    """Kill the leader under a writer and two workflows, and have it come back.

    Raises ``DataLost``, ``WorkLost`` and ``Unfinished``.
    """
    teller.title("The leader dies while somebody writes, and two workflows run")
    old = cluster.leader()
    with Writer(cluster.access) as writer:
        with teller.step(f"A client writes through the REST API; {old.name} leads"):
            _require(
                writer.wait_for(WARM_UP_WRITES, WRITE_TIMEOUT_S),
                f"writing did not get going; {writer.journal.complaint}",
            )
        with errands.under_way(cluster, cfy, teller) as begun:
            failover = _kill_leader(cluster, writer, old, teller)
            with teller.step("One workflow goes on where it stood, the other has failed"):
                outcomes = [errand.outcome() for errand in begun]
        with teller.step(f"{old.name} is started again and becomes a replica of {failover.new_leader}"):
            old.start()
            cluster.wait_until_whole(RETURN_TIMEOUT_S)
        with teller.step("The client goes on writing"):
            _require(
                writer.wait_for(WARM_UP_WRITES, WRITE_TIMEOUT_S),
                f"writing did not go on; {writer.journal.complaint}",
            )
    verdict = check(cluster.client(), [writer.journal])
    cfy.run("cluster", "nodes", "list")
    _summarise(failover, verdict, outcomes, teller)
    errands.check(*outcomes)
    if verdict.lost:
        raise DataLost(f"acknowledged and gone: {', '.join(verdict.lost[:10])}")


def _kill_leader(cluster: Cluster, writer: Writer, old: Node, teller: Teller) -> Failover:
    teller.say(f"  [bold red]kill -9[/] of all {len(old.pids())} processes of {old.name}, its Consul as well")
    moment = Moment.now()
    old.kill()
    journal = writer.journal

    def taken_over() -> Acknowledged | None:
        return journal.first_after(moment.monotonic_s, not_by=old.host_ip)

    with teller.step("A replica takes over"):
        in_time = writer.wait_until(lambda: taken_over() is not None, FAILOVER_TIMEOUT_S)
        _require(in_time, f"nobody accepted a write for {FAILOVER_TIMEOUT_S:g} s; {journal.complaint}")
    return _account(cluster, journal, moment, old)


def _account(cluster: Cluster, journal: Journal, moment: Moment, old: Node) -> Failover:
    interruption = journal.interruption(moment.monotonic_s)
    if interruption is None:
        raise Unfinished("the writer wrote too little to tell how long it was interrupted")
    before, after = interruption.before, interruption.after
    new = next(node for node in cluster.bed if node.host_ip == after.host_ip)
    spent = phases(cluster.history(), moment.unix(before.answered_s), moment.unix(after.answered_s))
    return Failover(old.name, new.name, interruption.duration_s, spent)


def _require(condition: bool, complaint: str) -> None:  # noqa: FBT001  It is the sentence's subject.
    if not condition:
        raise Unfinished(complaint)


def _summarise(failover: Failover, verdict: Verdict, outcomes: list[Outcome], teller: Teller) -> None:
    teller.title("Summary")
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("leadership", f"{failover.old_leader} → {failover.new_leader}")
    table.add_row("writing was interrupted for", f"[bold]{failover.interruption_s:.2f} s[/]")
    for phase, duration_s in failover.phases_s.items():
        table.add_row(f"  {phase}", f"{duration_s:.2f} s", style="dim")
    table.add_row("writes acknowledged", str(verdict.acknowledged))
    table.add_row("of these present", str(verdict.present))
    colour = "bold red" if verdict.lost else "bold green"
    table.add_row("lost", f"[{colour}]{len(verdict.lost)}[/]")
    for outcome in outcomes:
        table.add_row(f"workflow {outcome.workflow}", escape(outcome.text))
    teller.console.print(table)
