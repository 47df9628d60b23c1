"""Whether writes to this machine's disk come to an end: a disk can hang while reads, and processes, go on.

The lease guard depends on this module, so it needs nothing but the standard library.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from orchestrator.clients.clock import now_s

log = logging.getLogger(__name__)

INTERVAL_S = 2.0
"""Each write is one block of a device that may wear out."""

LONGEST_LOOK_S = 2.0
"""How much of the time between two looks counts. Longer ones mean that this process, or its machine, was
suspended meanwhile, and so was the write."""

CONTENT = b"The lease guard writes this again and again, to see that the disk does.\n"


class DiskProbe:
    """Writes the same block to a file from a thread of its own, and knows how long the newest write takes.

    A write that hangs keeps the thread, so there is never more than one. A write that fails has come to an
    end: what a disk that refuses means is for those to say who need it.
    """

    def __init__(self, file: Path, interval_s: float = INTERVAL_S) -> None:
        self._file, self._interval_s = file, interval_s
        self._begun = self._ended = 0
        self._seen, self._looked_at_s, self._hanging_s = 0, 0.0, 0.0

    def start(self) -> None:
        """Begin to write, until the process ends."""
        threading.Thread(target=self._go_on, name="disk", daemon=True).start()

    def hanging_s(self) -> float:
        """For how many seconds the newest write has been seen under way; 0 while none is."""
        begun, at_s = self._begun, now_s()
        if begun == self._ended:
            self._hanging_s = 0.0
        elif begun == self._seen:
            self._hanging_s += min(at_s - self._looked_at_s, LONGEST_LOOK_S)
        else:
            self._hanging_s = 0.0
        self._seen, self._looked_at_s = begun, at_s
        return self._hanging_s

    def write(self) -> None:
        """Write once, and return when the disk has it. Raises ``OSError``."""
        # Opened anew, for another disk may have been put in the place of the one before. To write over what
        # is there changes no size: a block is written, and nothing about the file.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_DSYNC, 0o600)
        try:
            os.pwrite(descriptor, CONTENT, 0)
        finally:
            os.close(descriptor)

    def _go_on(self) -> None:
        pause = threading.Event()
        while True:
            self._begun += 1
            try:
                self.write()
            except OSError as error:
                log.info("The disk refuses a write to %s: %s", self._file, error)
            self._ended = self._begun
            pause.wait(self._interval_s)
