"""Making and unmaking a cluster as tasks, and what both command lines ask of a node.

``cfy`` comes here through the REST service, ``cfy_manager`` through the node's own broker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from celery import Task
from celery.signals import worker_ready

from orchestrator import wiring
from orchestrator.clients import Clients
from orchestrator.clients.clock import now_s
from orchestrator.decide import decide
from orchestrator.formation import certificates, quorum
from orchestrator.formation import force as forcing
from orchestrator.formation import join as joining
from orchestrator.formation import remove as removing
from orchestrator.formation import start as starting
from orchestrator.formation.join import JoinRequest
from orchestrator.formation.progress import Progress
from orchestrator.formation.start import StartRequest
from orchestrator.formation.steps import Say
from orchestrator.formation.undo import undo
from orchestrator.model.errors import ClusterError, ConsulUnavailable, Refused
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import lease_file, membership
from orchestrator.record.wishes import Wishes
from tasks.actions import ACTIONS_LOCK
from tasks.app import CLUSTER, app, config
from tasks.exclusive import exclusively
from tasks.node import current_node

LONG_S, SHORT_S = 4 * 3600, 60

PATIENCE = 15
"""How many times, a second apart, a removed node is looked at before its Consul is put out by force."""

# A join lasts longer than the broker waits for an acknowledgement. One that was interrupted is not repeated
# by itself: whoever asked for it is told, and asks again.
LASTING = {"time_limit": LONG_S, "acks_late": False, "throws": (ClusterError, OSError)}
QUICK = {"time_limit": SHORT_S, "throws": (ClusterError,)}


@app.task(name="formation.begin", **QUICK)
def begin(message: str) -> None:
    """Forget how the last start or join went: a new one is enqueued now."""
    Progress(config.paths).begin(message)


@app.task(name="formation.start", **LASTING)
def start(host_ip: str, node_name: str, options: Mapping[str, object]) -> None:
    """Make a cluster of this manager."""
    request = StartRequest(host_ip, node_name, options)
    _carry_out(node_name, lambda clients, say: starting.start(clients, request, say))


@app.task(name="formation.join", **LASTING)
def join(**fields: Any) -> None:
    """Make this manager a replica; the fields are those of ``JoinRequest``."""
    request = JoinRequest(**{**fields, "join_addrs": tuple(fields["join_addrs"])})
    _carry_out(request.node_name, lambda clients, say: joining.join(clients, request, say))


@app.task(name="formation.remove", **LASTING)
def remove(name: str) -> None:
    """Take a member off the cluster (on the leader)."""
    clients = current_node().clients
    member = removing.remove(clients, name)
    if name != clients.me:
        take_out.apply_async(args=(name, member.host_ip))


@app.task(name="formation.take_out", bind=True, max_retries=2 * PATIENCE, **LASTING)
def take_out(self: Task, name: str, host_ip: str) -> None:
    """See to it that a removed node's Consul goes, without holding up the leader's work meanwhile."""
    try:
        insist = self.request.retries >= PATIENCE
        if removing.take_out_of_consul(current_node().clients, name, host_ip, insist=insist):
            return
    except ConsulUnavailable as error:
        raise self.retry(countdown=1, exc=error) from error
    raise self.retry(countdown=1)


@app.task(name="formation.stop_being_member", **LASTING)
def stop_being_member() -> None:
    """On a node that finds itself removed: leave."""
    with exclusively(ACTIONS_LOCK, wait=True):
        removing.stop_being_member(current_node().clients)


@app.task(name="formation.recover", **LASTING)
def recover() -> None:
    """When the node's services start: undo a start or a join that the end of the machine interrupted."""
    with exclusively(ACTIONS_LOCK, wait=True):
        undo(current_node().clients)


@worker_ready.connect
def recover_when_interrupted(sender: Any, **_: object) -> None:
    """A start or a join that was under way when this machine ended is undone when it comes back."""
    state = membership.read(config.paths.membership_file).state
    if state is MembershipState.JOINING and sender.hostname.startswith(f"{CLUSTER}@"):
        recover.apply_async()


@app.task(name="formation.status", **QUICK)
def status(since: str | None = None) -> dict[str, Any]:
    """Where this node stands, and how far a start or a join is (the contract's ClusterState, and more)."""
    lines, error = Progress(config.paths).read(since)
    found = membership.read(config.paths.membership_file)
    lease = lease_file.read(config.paths.lease_file)
    return {
        "initialized": found.state is MembershipState.MEMBER,
        "membership": found.state.value,
        "node": found.name,
        "leader": lease.leader if lease else None,
        "term": lease.term if lease else 0,
        "serving": lease is not None and lease.leads(now_s()),
        "error": error,
        "warnings": list(certificates.warnings(config)),
        "logs": [asdict(line) for line in lines],
    }


@app.task(name="formation.plan", **QUICK)
def plan() -> dict[str, Any]:
    """What this node would do now, without doing it."""
    node = current_node()
    found = decide(node.observer.observe(node.membership, now_s()), node.spec)
    steps = [action.summary for action in found.actions]
    return {"node": node.clients.me, "situation": found.situation, "plan": steps}


@app.task(name="formation.pause", **QUICK)
def pause() -> None:
    """Hold automatic failover."""
    _set_paused(paused=True)


@app.task(name="formation.resume", **QUICK)
def resume() -> None:
    """Allow automatic failover again."""
    _set_paused(paused=False)


@app.task(name="formation.force_leader", **QUICK)
def force_leader() -> str:
    """Have this node lead without what the last leader alone had; gives that one's name."""
    return forcing.force_leader(current_node().clients)


@app.task(name="formation.recover_quorum", **LASTING)
def recover_quorum() -> None:
    """Make a cluster of this node alone, because the others are lost for good."""
    _carry_out(current_node().clients.me, quorum.recover)


def _set_paused(*, paused: bool) -> None:
    """Asked for on this machine; whoever may do that there has no other name."""
    clients = current_node().clients
    before = clients.consul.view()
    clients.consul.set_paused(paused)
    Wishes(clients.config, clients.me, f"cfy_manager on {clients.me}").paused(before, paused=paused)


@app.task(name="formation.history", **QUICK)
def history(limit: int) -> list[dict[str, Any]]:
    """The newest entries of the cluster's history."""
    return [asdict(entry) for entry in current_node().clients.consul.history(limit)]


@app.task(name="formation.balanced", **QUICK)
def balanced() -> dict[str, Any]:
    """What a load balancer has to know: where the members are, and how REST is reached there."""
    if membership.read(config.paths.membership_file).state is not MembershipState.MEMBER:
        raise Refused(
            "This manager is in no cluster: there is nothing to balance. Begin with: cfy cluster start"
        )
    members = current_node().clients.consul.view().members.values()
    return {
        "members": [{"name": each.name, "address": each.public_ip or each.host_ip} for each in members],
        "port": config.ports.rest,
        "protocol": config.rest.protocol,
        "ca_file": str(config.paths.ssl / "ca.pem"),
    }


def _carry_out(name: str, work: Callable[[Clients, Say], None]) -> None:
    """Do the work as the node ``name``, alone, and tell how it goes."""
    progress = Progress(config.paths)
    with exclusively(ACTIONS_LOCK, wait=True), progress.running():
        try:
            work(wiring.clients_of(config, name), progress.say)
        except (ClusterError, OSError) as error:
            progress.fail(str(error))
            raise
        progress.finish()
