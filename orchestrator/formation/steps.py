"""Steps that a start and a join have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.clients import Clients, consul_agent, ssh_files
from orchestrator.clients.consul_agent import AgentSettings
from orchestrator.config import NodeConfig
from orchestrator.formation import keeping
from orchestrator.formation.checks import product_version
from orchestrator.formation.undo import forget_cluster, leave_consul, undo
from orchestrator.formation.waiting import until
from orchestrator.model.errors import ClusterError, FormationFailed
from orchestrator.model.snapshot import Member, MembershipState
from orchestrator.model.spec import Options
from orchestrator.record import membership
from orchestrator.record.membership import Membership

Say = Callable[[str], None]

CONSUL_TIMEOUT_S = 30.0
CHECKS_TIMEOUT_S = 15.0
REPORTED = ("database", "services", "heartbeat")


@contextmanager
def undone_on_failure(clients: Clients, say: Say) -> Iterator[None]:
    """Turn what goes wrong in the block into ``FormationFailed``, after the way back."""
    try:
        yield
    except (ClusterError, OSError) as error:
        say(f"It did not succeed: {error} Undoing what was done.")
        try:
            undo(clients)
        except (ClusterError, OSError) as trouble:
            raise FormationFailed(f"{error} It could not all be undone: {trouble} Try again.") from error
        say("Undone: this manager is as it was before.")
        raise FormationFailed(str(error)) from error


def begin(clients: Clients, options: Options) -> None:
    """From here on this node takes part, or finds its way back; what an earlier life left behind goes."""
    config = clients.config
    leave_consul(clients, forget=False)
    forget_cluster(config)
    keeping.discard(config)
    keeping.keep_identity(config)
    membership.write(
        config.paths.membership_file, Membership(MembershipState.JOINING, clients.me, options.as_dict())
    )


def start_consul(clients: Clients, settings: AgentSettings) -> None:
    """Configure and start the agent; returns when a majority of the servers confirms reads."""
    consul_agent.write(clients.config, settings)
    clients.services.start("consul")
    until(clients.consul.ready, CONSUL_TIMEOUT_S, "Consul has a leader and confirms reads")


def check_ttl_s(config: NodeConfig, options: Options) -> float:
    """After how many seconds of silence a check of this node fails."""
    return config.timing.heartbeat_ttl_s * options.check_ttl_multiplier


def register(clients: Clients, options: Options) -> None:
    """Make this node known to the others: its checks and its registration as a member."""
    clients.consul.register_checks(check_ttl_s(clients.config, options))
    clients.consul.put_member(member_of(clients, options))


def member_of(clients: Clients, options: Options) -> Member:
    """What the others are told of this node."""
    config = clients.config
    return Member(
        name=clients.me,
        host_ip=config.host_ip,
        public_ip=config.public_ip,
        version=product_version(),
        priority=config.priority,
        options=options.as_dict(),
        ssh_host_key=ssh_files.public_key(config, ssh_files.HOST_KEY),
        ssh_client_key=ssh_files.public_key(config, ssh_files.CLIENT_KEY),
    )


def pass_checks(clients: Clients) -> None:
    """Report this node as well: until the loop takes over nobody else does."""
    for check in REPORTED:
        clients.consul.pass_check(check)


def become_member(clients: Clients, options: Options) -> None:
    """Hand over to the loop, which runs for members."""
    pass_checks(clients)
    membership.write(
        clients.config.paths.membership_file,
        Membership(MembershipState.MEMBER, clients.me, options.as_dict()),
    )


def is_done(clients: Clients) -> bool:
    """Whether this very node is a member already: the same request came twice."""
    found = membership.read(clients.config.paths.membership_file)
    return found.state is MembershipState.MEMBER and found.name == clients.me
