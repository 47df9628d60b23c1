"""What the leader tells an agent beside operations, as commands of Celery's remote control.

They are answered at once, and cost nothing when the agent is away: the leader says them again.
"""

from __future__ import annotations

import platform
from typing import Any

from celery.worker.control import control_command, inspect_command

from agent import __version__
from agent.settings import Folder
from manager.operations.agents import DESCRIBE, MEMBERS


@control_command(name=MEMBERS)
def take_members(state: Any, members: list[str]) -> dict[str, Any]:
    """Keep the new list of members; gives the list as it is kept."""
    folder: Folder = state.app.conf.agent_folder
    settings = folder.settings()
    wanted = tuple(str(member) for member in members)
    if wanted and wanted != settings.members:
        folder.store(settings.model_copy(update={"members": wanted}))
    return {"members": list(folder.settings().members)}


@inspect_command(name=DESCRIBE)
def describe(state: Any) -> dict[str, Any]:
    """What runs here, and what it knows."""
    settings = state.app.conf.agent_folder.settings()
    system = f"{platform.system()} {platform.release()} ({platform.machine()})"
    return {
        "name": settings.name,
        "version": __version__,
        "system": system,
        "members": list(settings.members),
    }
