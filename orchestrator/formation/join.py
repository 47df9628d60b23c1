"""The joining manager's part of a join: it becomes a replica, or stays what it was."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from orchestrator.clients import Clients, ssh_files
from orchestrator.clients.consul.http import endpoint
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.clients.postgres import Upstream
from orchestrator.config import NodeConfig
from orchestrator.formation import broker, checks, emptiness, keeping, pki, steps
from orchestrator.formation.invitation import Invitation, invite
from orchestrator.formation.pki import KeyPair
from orchestrator.formation.steps import Say
from orchestrator.formation.undo import undo
from orchestrator.formation.waiting import until
from orchestrator.model.errors import Conflict, Refused, Unfinished
from orchestrator.model.snapshot import ClusterView, Member
from orchestrator.model.spec import LEADER_SERVICES, Options
from orchestrator.record import journal, lease_file
from orchestrator.record.lease_file import LeaseState

__all__ = ["Invitation", "JoinRequest", "check", "invite", "join"]

CONNECT_TIMEOUT_S = 2.0
STREAM_TIMEOUT_S = 60.0
RETRY_S = 0.5
# Consul looks every 10 s whether a new server is stable enough to vote.
VOTE_TIMEOUT_S = 45.0


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What ``cfy cluster join`` relays from the leader to the joining manager."""

    host_ip: str
    node_name: str
    join_addrs: tuple[str, ...]
    credentials: Mapping[str, object] = field(repr=False)
    required: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What ``invitation`` wrote, read again."""

    authority: KeyPair
    gossip_key: str
    broker_password: str
    members: dict[str, str]


def check(config: NodeConfig, request: JoinRequest) -> Options:
    """Raise ``Refused`` when this cannot be done; changes nothing. Returns the options, complete.

    Raises ``DatabaseUnavailable`` when it cannot be seen whether the manager is empty.
    """
    checks.belongs_nowhere(config)
    checks.is_own_address(config, request.host_ip)
    checks.name_is_valid(request.node_name)
    options = checks.options_are_valid(request.options)
    checks.meets(config, request.required)
    credentials = _credentials(request)
    _is_empty(config)
    _reach_someone(config, {*request.join_addrs, *credentials.members.values()})
    return options


def _is_empty(config: NodeConfig) -> None:
    # After a join that was interrupted the database may be half replaced; it was empty before.
    if not keeping.has_database_aside(config) and (found := emptiness.contents(config)):
        raise Conflict(
            f"This manager is not empty, and a cluster's data would replace it: {', '.join(found)}."
        )


def join(clients: Clients, request: JoinRequest, say: Say) -> None:
    """Make this manager a replica. ``clients.me`` is the requested name.

    Raises ``Refused`` when nothing was done, ``FormationFailed`` when it was undone. A join that was
    interrupted is undone first; of one that has succeeded only the end is repeated.
    """
    if not steps.is_done(clients):
        options = check(clients.config, request)
        undo(clients)
        with steps.undone_on_failure(clients, say):
            _join(clients, request, options, say)
        say(f"{clients.me} is a replica now.")
    keeping.discard(clients.config)
    # It shows its old certificate until then. It comes last, because it is what this was asked through.
    clients.services.restart("restservice")


def _join(clients: Clients, request: JoinRequest, options: Options, say: Say) -> None:
    credentials = _credentials(request)
    say(f"{clients.me} joins the cluster of {', '.join(sorted(credentials.members))}.")
    steps.begin(clients, options)
    _close_gate(clients.config)
    for name in reversed(LEADER_SERVICES):
        clients.services.stop(name)
    _take_identity(clients, credentials)
    say("Consul is started.")
    steps.start_consul(clients, _agent(clients, request, credentials, options))
    steps.register(clients, options)
    _copy_database(clients, say)
    say("The members of Consul let this node vote.")
    until(lambda: _votes(clients), VOTE_TIMEOUT_S, "this node votes in Consul")
    view = clients.consul.view()
    ssh_files.authorise(clients.config, _others(clients, view).values())
    steps.become_member(clients, options)
    journal.tell(clients, view.lease.term, "joined", f"{clients.me} joined the cluster")


def _close_gate(config: NodeConfig) -> None:
    """From here on clients are told that this is no leader: what they wrote would be replaced.

    What one of them has written since it was looked whether the manager is empty ends the join.
    """
    lease_file.write(config.paths.lease_file, LeaseState(member=True))
    _is_empty(config)


def _credentials(request: JoinRequest) -> _Credentials:
    try:
        return TypeAdapter(_Credentials).validate_python(request.credentials)
    except ValidationError:
        # The error would show what it was given.
        raise Refused("The credentials are not those that a leader hands out.") from None


def _reach_someone(config: NodeConfig, addresses: set[str]) -> None:
    troubles = []
    for address in sorted(addresses):
        checks.is_address(address)
        try:
            socket.create_connection((address, config.ports.consul_server), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            troubles.append(f"{endpoint(address, config.ports.consul_server)}: {error}")
        else:
            return
    raise Refused(f"No member of the cluster can be reached from here. {'; '.join(troubles)}")


def _take_identity(clients: Clients, credentials: _Credentials) -> None:
    """From here on whoever trusts the cluster's CA trusts this node."""
    config = clients.config
    pki.install_ca(config.paths.ssl, credentials.authority)
    pki.issue(config, clients.me)
    broker.install(config, credentials.broker_password)


def _agent(
    clients: Clients, request: JoinRequest, credentials: _Credentials, options: Options
) -> AgentSettings:
    addresses = sorted({*request.join_addrs, *credentials.members.values()})
    return AgentSettings(
        clients.me,
        credentials.gossip_key,
        join=tuple(addresses),
        raft_multiplier=options.consul_raft_multiplier,
    )


def _copy_database(clients: Clients, say: Say) -> None:
    """Replace the database by a copy of the leader's, which then follows it. The old one is kept beside."""
    say("The leader lets this node connect to its database.")
    upstream = until(lambda: _leader(clients), steps.CONSUL_TIMEOUT_S, "somebody leads the cluster")
    clients.postgres.write_config(clients.me, [clients.me, *_others(clients, clients.consul.view())])
    clients.postgres.stop("fast")
    keeping.set_database_aside(clients.config)
    say(f"The database of {upstream.name} is copied.")
    until(lambda: _copied(clients), clients.config.timing.join_timeout_s, "a copy of the database", RETRY_S)
    say("The copy is started, and follows.")
    clients.postgres.start(standby=True)
    until(lambda: clients.postgres.wait_receiving(1.0), STREAM_TIMEOUT_S, "the leader streams to this node")


def _copied(clients: Clients) -> bool:
    """One attempt. The leader may not have seen the new member yet, or another one may lead by now."""
    upstream = _leader(clients)
    if upstream is None:
        raise Unfinished("nobody leads the cluster")
    clients.postgres.base_backup(upstream)
    clients.postgres.set_upstream(upstream)
    return True


def _leader(clients: Clients) -> Upstream | None:
    """The announced leader of the present term."""
    view = clients.consul.view()
    found = view.announcement
    if found is None or view.lease.free or found.term != view.lease.term:
        return None
    return Upstream(found.leader, found.host_ip, found.port, found.incarnation)


def _others(clients: Clients, view: ClusterView) -> dict[str, Member]:
    return {name: member for name, member in view.members.items() if name != clients.me}


def _votes(clients: Clients) -> bool:
    return endpoint(clients.config.host_ip, clients.config.ports.consul_server) in clients.consul.voters()
