"""The ``consul-watcher`` service: the watcher, with its wake-ups sent as ticks through Celery."""

from __future__ import annotations

import logging
import sys
import time

from orchestrator import wiring
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership
from orchestrator.watcher import Watcher
from tasks.app import config, log_to_cluster_log
from tasks.waking import wake

IDLE_S = 1.0


def main() -> int:
    """Wait until this node belongs to a cluster, then watch for as long as it does."""
    log_to_cluster_log()
    while membership.read(config.paths.membership_file).state is not MembershipState.MEMBER:
        time.sleep(IDLE_S)
    logging.getLogger("watcher").info("watching the cluster")
    Watcher(config, wiring.clients_of(config).consul, wake).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
