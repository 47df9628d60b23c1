"""What running operations has to know of its node."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from manager.files.folders import Folders
from manager.settings import DatabaseSettings


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where a broker is. ``ca_file``: the CA of its certificate; None: it is one without TLS."""

    host: str
    port: int
    password: str = field(repr=False)
    ca_file: Path | None
    connect_timeout_s: float = 3.0
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class OperationsSettings:
    """What the manager's worker needs. ``work``: the folder for what operations of a deployment keep.

    ``max_operations``: so many run at a time.
    """

    node: str
    broker: BrokerSettings
    database: DatabaseSettings
    folders: Folders
    work: Path
    max_operations: int = 50
