"""The manager's worker as a process of its own: ``python -m tests.support.operations_worker``."""

from __future__ import annotations

import logging
import sys

from manager.gateway import load_config
from manager.gateway.agents import remember
from manager.gateway.operations import operations_settings_of
from manager.operations.worker import run_worker

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    config = load_config()
    remember(config)
    sys.exit(run_worker(operations_settings_of(config)))
