"""``python -m manager.workflows``: the service ``mgmtworker``; see ``service``."""

from __future__ import annotations

import os
import sys

NICE = 5
"""What workflows do can wait for the database and REST: above all when a new leader lets its clients in."""


def main() -> int:
    """Run the service, behind the others on this machine."""
    os.nice(NICE)
    # To import it takes a second of processor time: that is not taken from others either.
    from manager.workflows.service import main as serve  # noqa: PLC0415

    return serve()


if __name__ == "__main__":
    sys.exit(main())
