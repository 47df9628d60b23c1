#!/usr/bin/python3 -I
"""The one program of a manager that runs as root: it starts and stops the manager's own services.

    sudo /opt/cloudify/sudo_trampoline.py start|stop|restart SERVICE
    sudo /opt/cloudify/sudo_trampoline.py kill consul

Whoever may call it can name no other unit, no option and no path. It stands on the standard library alone,
belongs to root, and reads nothing of its caller's environment.
"""

from __future__ import annotations

import os
import sys

SERVICES = (
    "redis",
    "sshd",
    "postgresql",
    "consul",
    "lease-guard",
    "consul-watcher",
    "handler-runner",
    "check-runner",
    "restservice",
    "broker",
    "mgmtworker",
)
LASTING = ("consul",)
"""Started and stopped for good: a member's Consul comes back with the machine, and not after a removal."""

VERBS = {"start": "start", "stop": "stop", "restart": "restart"}
LASTING_VERBS = {
    **VERBS,
    "start": "enable --now",
    "stop": "disable --now",
    # The lease guard does it when the disk hangs. What has the manager's own user takes no root to be killed.
    "kill": "kill --signal=KILL",
}
SYSTEMCTL = "/usr/bin/systemctl"
ALLOWED = {
    (verb, service) for service in SERVICES for verb in (LASTING_VERBS if service in LASTING else VERBS)
}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
WRONG = 2


def words(verb: str, service: str) -> list[str]:
    """What systemctl is told. Whoever asked watches for himself what comes of it."""
    verbs = LASTING_VERBS if service in LASTING else VERBS
    return [SYSTEMCTL, "--quiet", "--no-block", *verbs[verb].split(), f"cloudify-{service}.service"]


def main(arguments: list[str]) -> int:
    """Become systemctl, or say what would have been right."""
    if tuple(arguments) in ALLOWED:
        os.execve(SYSTEMCTL, words(*arguments), ENVIRONMENT)  # noqa: S606 - There is nothing a shell could do here.
    allowed = f"{'|'.join(VERBS)} {'|'.join(SERVICES)}, or kill {'|'.join(LASTING)}"
    sys.stderr.write(f"sudo_trampoline: {allowed}, and nothing else\n")
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
