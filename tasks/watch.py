"""The ``consul-watcher`` service: the watcher, with its wake-ups sent as ticks through Celery."""

from __future__ import annotations

import logging
import sys
import time

from celery.signals import setup_logging

from orchestrator.model.snapshot import MembershipState
from orchestrator.watcher import Watcher
from tasks.app import config
from tasks.node import current_node
from tasks.tick import wake

IDLE_S = 1.0


def main() -> int:
    """Wait until this node belongs to a cluster, then watch for as long as it does."""
    setup_logging.send(sender=None)
    while current_node().membership is not MembershipState.MEMBER:
        time.sleep(IDLE_S)
    logging.getLogger("watcher").info("watching the cluster")
    Watcher(config, current_node().clients.consul, wake).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
