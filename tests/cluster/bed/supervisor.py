"""Runs a container until it is off: what makes a machine of it is that it may reboot.

It is started as a program of its own, with nothing but the standard library, and outlives whoever started it.
"""

from __future__ import annotations

import subprocess
import sys

REBOOT = 133
"""With what systemd-nspawn ends when the machine in it is to be started again."""


def main(command: list[str]) -> int:
    while (exit_code := subprocess.run(command, check=False).returncode) == REBOOT:
        pass
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
