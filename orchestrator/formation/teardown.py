"""Taking the manager off this machine: processes, data, configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.config import NodeConfig
from orchestrator.model.errors import Conflict
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import membership

# A path as short as /etc is shared with the rest of the machine.
FEWEST_PARTS = 3


def check(config: NodeConfig) -> None:
    """Raise ``Conflict`` while the node belongs to a cluster, which would lose a member without notice."""
    state = membership.read(config.paths.membership_file).state
    if state is MembershipState.MEMBER:
        raise Conflict(
            "This manager belongs to a cluster. Remove it there first (cfy cluster nodes remove), "
            "or insist with -f if it is the last one or the others are gone."
        )


def teardown(config: NodeConfig, stop_services: Callable[[], None]) -> tuple[Path, ...]:
    """Stop everything and delete everything, and return what was deleted. Can be repeated.

    Raises ``Conflict`` when a configured folder is not the manager's own.
    """
    paths = config.paths
    folders = (paths.run, paths.state, paths.log, paths.etc)
    for folder in folders:
        if len(folder.resolve().parts) < FEWEST_PARTS:
            raise Conflict(f"{folder} is not deleted: it is not a folder of the manager's own.")
    stop_services()
    present = tuple(folder for folder in folders if folder.exists())
    for folder in present:
        shutil.rmtree(folder)
    return present
