"""The ``consul-watcher`` service: the watcher, with its wake-ups sent as ticks through Celery."""

from __future__ import annotations

import logging
import sys
import time

from orchestrator.model.snapshot import MembershipState
from orchestrator.watcher import Watcher
from tasks.app import config, log_to_cluster_log
from tasks.node import current_node
from tasks.waking import wake

IDLE_S = 1.0


def main() -> int:
    """Wait until this node belongs to a cluster, then watch for as long as it does."""
    log_to_cluster_log()
    while current_node().membership is not MembershipState.MEMBER:
        time.sleep(IDLE_S)
    logging.getLogger("watcher").info("watching the cluster")
    Watcher(config, current_node().clients.consul, wake).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
