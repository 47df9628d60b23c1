"""``python -m manager``: the ``restservice`` of the node that ``CLOUDIFY_CONFIG`` names."""

from __future__ import annotations

import gc
import logging
import os
import sys

from manager.gateway import Gateway, load_config, settings_of
from manager.server import server


def main() -> int:
    """Serve until a signal says to stop."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    config = load_config()
    rest = server(settings_of(config), Gateway(config))
    # What was imported stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    rest.run()
    logging.shutdown()
    # Threads may still wait for commits that no replica confirms, and Python would wait for the threads.
    os._exit(0 if rest.started else 1)


if __name__ == "__main__":
    sys.exit(main())
