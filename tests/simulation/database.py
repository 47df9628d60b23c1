"""A simulated PostgreSQL: what is on its disk, and what is in force while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.model.errors import DatabaseUnavailable, Diverged
from orchestrator.model.lsn import Fork, Position
from orchestrator.model.snapshot import SyncSetting
from tests.simulation.wal import Record, Wal, forks_of, position_of


@dataclass
class Disk:
    """What survives a crash.

    ``slot``: which slot to ask ``upstream`` for. ``incarnation``: how often this data was replaced.
    ``slots``: their names, which tell that. ``known_timeline``: the newest one whose history file is here,
    whether this database is on it or not. ``clean``: the server was shut down in good order. ``broken``: a
    rewind was cut short, and the server cannot start from this.
    """

    wal: Wal
    standby: bool = True
    upstream: str | None = None
    setting: SyncSetting = field(default_factory=SyncSetting)
    read_only: bool = False
    slot: str = ""
    incarnation: int = 0
    slots: frozenset[str] = frozenset()
    known_timeline: int = 1
    clean: bool = False
    broken: bool = False


@dataclass
class Connection:
    """A walreceiver and its walsender. ``setting`` is the walsender's own idea of whom commits wait for."""

    sender: Server
    standby: str
    slot: str
    setting: SyncSetting
    flushed: int = 0
    reply: int | None = None
    heard_s: float = 0.0
    closed: bool = False


@dataclass(eq=False)
class Server:
    """A running server. Each start makes a new one; nothing in it survives."""

    name: str
    primary: bool
    setting: SyncSetting
    read_only: bool
    upstream: str | None
    slot: str
    in_force: SyncSetting
    stopping_since_s: float | None = None
    reload_due: bool = False
    transactions: int = 0
    waiting: list[int] = field(default_factory=list)
    senders: dict[str, Connection] = field(default_factory=dict)
    receiver: Connection | None = None

    @property
    def stopping(self) -> bool:
        """Whether it has been told to shut down in good order."""
        return self.stopping_since_s is not None

    @property
    def setting_is_in_force(self) -> bool:
        """Whether everybody in the server goes by the setting that was loaded last."""
        return self.in_force == self.setting and all(
            connection.setting == self.setting for connection in self.senders.values()
        )


class SimDatabase:
    """One database of the simulated world. ``sick``: the server refuses to start."""

    def __init__(self, name: str, disk: Disk, changed: Callable[[], None]) -> None:
        self.name = name
        self.disk = disk
        self.server: Server | None = None
        self.frozen = False
        self.sick = False
        self._changed = changed

    @property
    def position(self) -> Position:
        return position_of(self.disk.wal)

    @property
    def forks(self) -> tuple[Fork, ...]:
        return forks_of(self.disk.wal)

    @property
    def is_primary(self) -> bool:
        return self.server is not None and self.server.primary

    def need(self) -> Server:
        """The running server. Raises ``DatabaseUnavailable`` when there is none that answers."""
        if self.server is None or self.frozen:
            raise DatabaseUnavailable(f"the database of {self.name} does not answer")
        return self.server

    def need_even_frozen(self) -> Server:
        """The running server, whether it answers or not."""
        if self.server is None:
            raise DatabaseUnavailable(f"the database of {self.name} does not run")
        return self.server

    def start(self, *, standby: bool) -> None:
        if self.disk.broken:
            raise Diverged("a rewind was cut short")
        if self.sick:
            raise DatabaseUnavailable(f"the database of {self.name} does not start")
        self.disk.standby, self.disk.clean = standby, False
        if self.server is None:
            disk = self.disk
            self.server = Server(
                self.name,
                not standby,
                disk.setting,
                disk.read_only,
                disk.upstream,
                disk.slot,
                disk.setting,
            )
        self._changed()

    def crash(self) -> None:
        """The server is gone: clients that were waiting get no answer, connections break."""
        server, self.server = self.server, None
        if server is not None:
            self._hang_up(server)
        self._changed()

    def _hang_up(self, server: Server) -> None:
        for connection in server.senders.values():
            connection.closed = True
        if server.receiver is not None:
            server.receiver.closed = True

    def reload(self) -> None:
        """SIGHUP: sessions and the startup process follow at once, checkpointer and walsenders by and by."""
        server = self.server
        if server is None:
            return
        server.setting, server.read_only = self.disk.setting, self.disk.read_only
        server.upstream, server.slot = self.disk.upstream, self.disk.slot
        server.reload_due = True
        self._changed()

    def promote(self, number: int) -> None:
        """Leave the present timeline for the next number that no history file here has taken."""
        server = self.need()
        self.disk.known_timeline = max(self.disk.known_timeline, self.position.timeline) + 1
        self.disk.standby = False
        server.primary, server.upstream = True, None
        if server.receiver is not None:
            server.receiver.closed = True
            server.receiver = None
        self.disk.wal.append(Record(self.disk.known_timeline, number, self.position.term))
        server.reload_due = True
        self._changed()

    def append(self, number: int, term: int = 0, at_s: float = 0.0) -> int:
        """Write one record on the present timeline, the mark of ``term`` perhaps; returns its index."""
        newest = self.disk.wal[-1]
        self.disk.wal.append(Record(newest.timeline, number, max(term, newest.term), at_s))
        self._changed()
        return len(self.disk.wal) - 1
