"""The way back from a start or a join that did not succeed.

It looks at what is there, not at how far somebody remembers to have come: so it also mends what a killed
process has left behind, and can itself be killed and run again.
"""

from __future__ import annotations

import logging

from orchestrator.clients import Clients, consul_home, ssh_files
from orchestrator.clients.consul_agent import agent_file
from orchestrator.config import NodeConfig
from orchestrator.formation import keeping
from orchestrator.model.errors import ClusterError
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership
from orchestrator.record.membership import Membership

log = logging.getLogger(__name__)


def undo(clients: Clients) -> None:
    """Make this node a manager that is alone again, as it was. Nothing happens when it is none that joins.

    Raises what keeps it from succeeding; it can be tried again then.
    """
    config = clients.config
    if membership.read(config.paths.membership_file).state is not MembershipState.JOINING:
        return
    leave_consul(clients)
    keeping.restore_identity(config)
    ssh_files.authorise(config, ())
    _restore_database(clients)
    forget_cluster(config)
    # Last, because it says that all the rest is done.
    membership.write(config.paths.membership_file, Membership())
    keeping.discard(config)


def leave_consul(clients: Clients, *, forget: bool = True) -> None:
    """Take this node's Consul out of the cluster if it can be reached, stop it, and delete what it has.

    ``forget``: its registration as a member goes too.
    """
    config = clients.config
    # Without its configuration an agent that has left cannot be started again and come back.
    agent_file(config).unlink(missing_ok=True)
    consul_home.end_life(config)
    if "consul" in clients.services.running():
        try:
            if forget:
                clients.consul.forget_member(clients.me)
            clients.consul.leave()
        except ClusterError as error:
            log.warning("Consul could not be left in good order: %s", error)
    clients.services.stop("consul")
    consul_home.delete(config)


def forget_cluster(config: NodeConfig) -> None:
    """Delete what this node has noted down in a cluster: in another one it would mislead."""
    run, outbox = config.paths.run, config.paths.outbox_file
    notes = (
        config.paths.promise_file,
        config.paths.lease_file,
        config.paths.word_file,
        config.paths.state / "alone",
        config.paths.state / "minority",
        config.paths.state / "members",
        run / "office",
        run / "session",
        run / "follow-attempts",
        run / "files.json",
        run / "workflows.json",
        outbox,
    )
    for note in (*notes, outbox.with_suffix(".sending")):
        note.unlink(missing_ok=True)


def _restore_database(clients: Clients) -> None:
    config = clients.config
    if keeping.has_database_aside(config):
        clients.postgres.stop("immediate")
        keeping.restore_database(config)
    clients.postgres.detach(config.timing.detach_timeout_s)
    clients.postgres.write_config(None, ())
    clients.postgres.start(standby=False)
