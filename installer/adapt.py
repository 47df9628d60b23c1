"""Has what was made from the configuration made anew: ``python -m installer.adapt``, as the node's own user.

That is certificates, the configurations of PostgreSQL, sshd and the broker, and what the other members know
of this one. It restarts nothing. What to know about it is printed as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from orchestrator.clients import Clients, ssh_files
from orchestrator.config import load
from orchestrator.formation import broker, pki, renewing, steps
from orchestrator.formation.renewing import Renewal
from orchestrator.model.errors import ClusterError, DatabaseUnavailable, Unfinished
from orchestrator.model.snapshot import MembershipState
from orchestrator.model.spec import Options
from orchestrator.record import membership
from orchestrator.wiring import clients_of


def adapt(clients: Clients) -> Iterator[str]:
    """Do it; what the operator has to know. Raises ``ClusterError``."""
    config = clients.config
    ssh_files.prepare(config)
    broker.ensure(config)
    if not pki.covers(config):
        renewed = renewing.renew(clients, Renewal())
        yield f"New certificates, for the addresses as they are now: {', '.join(renewed.certificates)}"
        yield from renewed.troubles
    belongs = membership.read(config.paths.membership_file)
    if belongs.state is MembershipState.MEMBER:
        options = Options().updated(belongs.options)
        clients.consul.put_member(steps.member_of(clients, options))


def adapt_database(clients: Clients) -> tuple[str, ...]:
    """Have PostgreSQL read its settings; those that it takes at its next start only."""
    try:
        return clients.postgres.rewrite_config()
    except (Unfinished, DatabaseUnavailable):
        return ()  # It reads them when it starts.


def main() -> int:
    """Adapt the node of this process's configuration; what is wrong is said on standard error."""
    try:
        clients = clients_of(load())
        waiting, notes = adapt_database(clients), list(adapt(clients))
    except (ClusterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"notes": notes, "database": waiting}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
