"""Engines that hold executions at a step of the life of an operation, for stories in which their host dies.

A node whose supervisord has imported this before it forks its services does what every node does, unless it
has a folder ``held`` when an engine starts. Then each execution is held at the step that its deployment is
named after (``holding``), and has a file of its id in the folder as soon as it stands there. It is held until
the engine dies. The next one, on a node without such a folder, knows nothing of all this.
"""

from __future__ import annotations

from importlib import import_module
from typing import NoReturn

from manager.workflows import doorkeeper
from orchestrator.config import config_file

FOLDER = "held"

_be_engine = doorkeeper._be_engine


def be_engine(parent: int) -> NoReturn:
    """Be the engine, one that holds if this node is to."""
    folder = config_file().parent.parent / FOLDER
    if folder.exists():
        # Whoever imports this has next to nothing else imported, and is to stay so.
        import_module("tests.support.holding").hold(folder)
    _be_engine(parent)


doorkeeper._be_engine = be_engine
