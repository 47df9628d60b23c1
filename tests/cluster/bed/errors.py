"""What can go wrong with a bed."""

from __future__ import annotations

from orchestrator.model.errors import ClusterError


class BedError(ClusterError):
    """Something about the bed itself: what is missing on this machine, or did not happen in time."""


class CommandFailed(BedError):
    """A command in a node, or beside the nodes, ended with an exit code other than 0."""

    def __init__(self, where: str, command: tuple[str, ...], exit_code: int, said: str) -> None:
        super().__init__(f"{where}: {' '.join(command)} ended with {exit_code}: {said.strip()[-2000:]}")
        self.exit_code, self.said = exit_code, said


class CommandTimedOut(BedError):
    """A command in a node, or beside the nodes, took too long, and was killed with all that it started."""

    def __init__(self, where: str, command: tuple[str, ...], timeout_s: float) -> None:
        super().__init__(f"{where}: {' '.join(command)} took longer than {timeout_s:g} s")
