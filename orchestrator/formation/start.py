"""Making a cluster of one: this manager becomes the first leader."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.clients import Clients, consul_agent, ssh_files
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.config import NodeConfig
from orchestrator.formation import checks, keeping, pki, steps
from orchestrator.formation.steps import Say
from orchestrator.formation.undo import undo
from orchestrator.formation.waiting import until
from orchestrator.model.errors import LeaseLost
from orchestrator.model.snapshot import SyncRecord
from orchestrator.model.spec import Options
from orchestrator.record import alone, journal, session

SESSION_CHECKS = frozenset({"consul", "heartbeat", "guard"})


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What ``cfy cluster start`` asks for."""

    host_ip: str
    node_name: str
    options: Mapping[str, object] = field(default_factory=dict)


def new_node_name() -> str:
    """A name for a node whose operator gave none."""
    letters = string.ascii_uppercase + string.digits
    return "cloudify_manager_" + "".join(secrets.choice(letters) for _ in range(6))


def check(config: NodeConfig, request: StartRequest) -> Options:
    """Raise ``Refused`` when this cannot be done; changes nothing. Returns the options, complete."""
    checks.belongs_nowhere(config)
    checks.is_own_address(config, request.host_ip)
    checks.name_is_valid(request.node_name)
    return checks.options_are_valid(request.options)


def start(clients: Clients, request: StartRequest, say: Say) -> None:
    """Make a cluster of this manager alone. ``clients.me`` is the requested name.

    Raises ``Refused`` when nothing was done, ``FormationFailed`` when it was undone. A start that was
    interrupted is undone first; one that has succeeded is not repeated.
    """
    if steps.is_done(clients):
        keeping.discard(clients.config)
        return
    options = check(clients.config, request)
    undo(clients)
    with steps.undone_on_failure(clients, say):
        say(f"{clients.me} becomes the first member of a cluster.")
        steps.begin(clients, options)
        _make_consul(clients, options, say)
        _lead(clients, options, say)
        clients.postgres.write_config(clients.me, [clients.me])
        ssh_files.authorise(clients.config, ())
        steps.become_member(clients, options)
    keeping.discard(clients.config)
    say(f"The cluster is made: {clients.me} leads it.")


def _make_consul(clients: Clients, options: Options, say: Say) -> None:
    pki.issue(clients.config, clients.me)
    settings = AgentSettings(
        clients.me,
        consul_agent.new_gossip_key(),
        founder=True,
        raft_multiplier=options.consul_raft_multiplier,
    )
    say("Consul is started.")
    steps.start_consul(clients, settings)
    # It was a founder once, and that is enough: if its data were lost it would make another cluster.
    consul_agent.write(clients.config, replace(settings, founder=False))


def _lead(clients: Clients, options: Options, say: Say) -> None:
    """Take the lease as the first, and say what is true of a leader without replicas: it waits for nobody."""
    say("The health checks are registered.")
    steps.register(clients, options)
    until(lambda: _is_well(clients), steps.CHECKS_TIMEOUT_S, "this node's checks pass, the lease guard's too")
    own = clients.consul.create_session()
    session.write(clients.config, own)
    say("The lease is taken.")
    if not clients.consul.acquire_lease(own, 0):
        raise LeaseLost("The lease of a new cluster was not free.")
    term = clients.consul.read_lease().term
    alone.begin(clients.config, term)
    record = SyncRecord(term, clients.me, k=0, members=frozenset(), mode=options.sync_mode)
    clients.consul.write_record(own, record)
    journal.tell(clients, term, "started", f"{clients.me} made the cluster")


def _is_well(clients: Clients) -> bool:
    """A session is bound to these checks, and cannot be made before Consul's servers have seen them pass."""
    steps.pass_checks(clients)
    return clients.consul.health().get(clients.me, frozenset()) >= SESSION_CHECKS
