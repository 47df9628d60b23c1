"""``python -m manager``: the ``restservice`` of the node that ``CLOUDIFY_CONFIG`` names."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys

from manager import lean  # noqa: F401  # it goes before FastAPI
from manager.gateway import Gateway, load_config, settings_of
from manager.server import server

# glibc's mallopt(3).
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
MEGABYTE = 1024 * 1024


def save_memory() -> None:
    """Have large blocks given back at once: each password check takes 19 MiB for a moment."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, MEGABYTE)
        libc.mallopt(M_ARENA_MAX, 2)


def main() -> int:
    """Serve until a signal says to stop."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    save_memory()
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
