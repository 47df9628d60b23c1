"""How commands are run that belong to a bed: so that no more is left of one than it left on purpose."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import IO

from tests.cluster.bed import host
from tests.cluster.bed.cgroup import Cgroup
from tests.cluster.bed.errors import CommandFailed, CommandTimedOut

TIMEOUT_S = 60.0


def run(
    cgroup: Cgroup,
    where: str,
    called: Sequence[str],
    command: tuple[str, ...],
    *,
    timeout_s: float = TIMEOUT_S,
    check: bool = True,
    stdin: str | IO[bytes] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``called`` in the cgroup, which is new and this command's own; ``command`` is what it is called.

    When it takes too long, or this process is interrupted, it is killed with all that it started. What it
    leaves running otherwise goes on, as part of the node.
    """
    source = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin or subprocess.DEVNULL}
    try:
        done = subprocess.run(
            cgroup.joined_by(*called),
            env=host.environment(), capture_output=True, encoding="utf-8", errors="replace",
            timeout=timeout_s, check=False, **source,
        )  # fmt: skip
    except BaseException as error:
        cgroup.kill()
        if isinstance(error, subprocess.TimeoutExpired):
            raise CommandTimedOut(where, command, timeout_s) from None
        raise
    finally:
        cgroup.remove_if_empty()
    if check and done.returncode != 0:
        raise CommandFailed(where, command, done.returncode, done.stderr or done.stdout)
    return done
