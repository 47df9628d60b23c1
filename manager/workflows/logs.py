"""What the processes of ``mgmtworker`` say goes to the service's log."""

from __future__ import annotations

import logging


def log_to_stderr() -> None:
    """From now on, in this process and those that are forked from it. A second time nothing happens."""
    logging.basicConfig(
        format="%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    root = logging.getLogger()
    if root.level != logging.INFO:
        # It writes into every logger that there is; where services are forked it is so before.
        root.setLevel(logging.INFO)
