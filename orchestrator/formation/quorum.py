"""The majority of the members is lost for good: one that is left becomes a cluster that others can join.

Consul's own way back is a file that names its servers ("Outage Recovery", ``peers.json``). Keys and indexes
stay, so terms go on growing. The gossip key is a new one: a lost member that comes back after all finds
nobody.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.clients import Clients, consul_agent, consul_home
from orchestrator.clients.consul.http import endpoint
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.formation import steps
from orchestrator.formation.steps import Say
from orchestrator.model.errors import Refused
from orchestrator.model.snapshot import Forced, MembershipState
from orchestrator.model.spec import Options
from orchestrator.record import journal, known, membership

ASK_S = 3.0


def check(clients: Clients) -> None:
    """Raise ``Refused`` when this cannot be done, or should not; changes nothing."""
    if membership.read(clients.config.paths.membership_file).state is not MembershipState.MEMBER:
        raise Refused("This manager is no member of a cluster: there is nothing to recover.")
    if clients.consul.ready():
        _check_servers(clients)
        return
    others = {name: each for name, each in known.members(clients.config).items() if name != clients.me}
    if there := sorted(clients.peers.standings(others, ASK_S)):
        raise Refused(
            f"{', '.join(there)} can be reached, and would be left out. Bring Consul back there, or stop "
            "those machines for good first: two clusters must not go on."
        )


def _check_servers(clients: Clients) -> None:
    """Consul answers. That is well if an earlier attempt came so far, and no reason to go on otherwise."""
    own = endpoint(clients.config.host_ip, clients.config.ports.consul_server)
    if clients.consul.voters() != {own}:
        raise Refused(
            "The majority of the members is there: there is nothing to recover. Dead members are "
            "taken off by cfy cluster nodes remove."
        )


def recover(clients: Clients, say: Say) -> None:
    """Make this node a cluster of its own, with the data that it has. What was interrupted can be repeated.

    That it leads in the end is the loop's doing. Raises ``Refused``, and what the clients do.
    """
    check(clients)
    options = Options().updated(membership.read(clients.config.paths.membership_file).options)
    if not clients.consul.ready():
        say("Consul is started with this server alone.")
        _make_only_server(clients, options)
    clients.consul.register_checks(steps.check_ttl_s(clients.config, options))
    _forget_others(clients, say)
    _have_it_lead(clients, say)


def _make_only_server(clients: Clients, options: Options) -> None:
    clients.services.stop("consul")
    consul_home.ask_for_only_server(clients.config)
    settings = AgentSettings(
        clients.me, consul_agent.new_gossip_key(), raft_multiplier=options.consul_raft_multiplier
    )
    steps.start_consul(clients, settings)


def _forget_others(clients: Clients, say: Say) -> None:
    for name in sorted(clients.consul.view().members):
        if name != clients.me:
            say(f"{name} is taken off the cluster.")
            clients.consul.remove_member(name)


def _have_it_lead(clients: Clients, say: Say) -> None:
    """Nobody else is left who could be asked what he has: this node's data is the cluster's."""
    lease = clients.consul.read_lease()
    if lease.session is not None and lease.holder != clients.me:
        clients.consul.destroy_session(lease.session)
    view = clients.consul.view()
    if view.lease.holder == clients.me or view.record is None or view.record.leader == clients.me:
        return
    say(f"{clients.me} leads as soon as {view.record.leader} cannot believe any more that it does.")
    clients.consul.override_record(
        replace(view.record, k=0, members=frozenset()), at_lease=view.lease.modified
    )
    clients.consul.force(Forced(view.lease.modified, clients.me))
    told = f"an operator made a cluster of {clients.me} alone: the majority was lost for good"
    journal.tell(clients, view.lease.term, "quorum_recovered", told)
