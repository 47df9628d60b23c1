"""A service for tests: ``stay <name>`` says how it stands and stays, ``fail`` raises."""

import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.argv[1] == "fail":
        raise SystemExit(1 // 0)
    names = sorted(path.name for path in Path("/proc/self/fd").iterdir())
    # The folder itself was one of them, while it was read.
    still_open = [name for name in names if Path("/proc/self/fd", name).is_symlink()]
    told = (" ".join(sys.argv[1:]), os.environ["SUPERVISOR_PROCESS_NAME"], " ".join(still_open))
    sys.stdout.write(" | ".join(told) + "\n")
    sys.stdout.flush()
    signal.pause()
