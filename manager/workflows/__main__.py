"""``python -m manager.workflows``: the service ``mgmtworker``; see ``doorkeeper``."""

from __future__ import annotations

import os
import sys

from manager.workflows.doorkeeper import main as serve

NICE = 5
"""What workflows do can wait for the database and REST: above all when a new leader lets its clients in."""


def main() -> int:
    """Run the service, behind the others on this machine."""
    os.nice(NICE)
    return serve()


if __name__ == "__main__":
    sys.exit(main())
