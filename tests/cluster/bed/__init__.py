"""Machines with a real systemd on this machine, for stories that need more than processes (``bed.py``)."""

from tests.cluster.bed.bed import Bed, down
from tests.cluster.bed.errors import BedError, CommandFailed, CommandTimedOut
from tests.cluster.bed.node import Node

__all__ = ["Bed", "BedError", "CommandFailed", "CommandTimedOut", "Node", "down"]
