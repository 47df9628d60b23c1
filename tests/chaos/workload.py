"""Everybody who uses the cluster during a run: writers, uploaders, readers, and who watches what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from demo.phases import Moment
from demo.rest import Client, NoLeader, Rejected
from demo.writer import Journal
from orchestrator.model.errors import ClusterError, ConsulUnavailable
from tests.chaos.balancer import balanced
from tests.chaos.clients import Deep, Reader, Repeated, Scribe, Uploader
from tests.chaos.world import World

LOOK_EVERY_S, HISTORY_EVERY_S, TERMS_EVERY_S = 0.25, 10.0, 0.5
SOON_S = 90.0


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list of nodes said: who is online, and who leads. Times in Unix time."""

    asked: float
    answered: float
    online: frozenset[str]
    master: str


class Witness:
    """Watches what the cluster says of itself, and what its Consul says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client = Client(world.cluster.access, read_timeout_s=3.0)
        self._historian = Client(world.cluster.access, read_timeout_s=10.0)
        self.listed: list[Listed] = []
        self.history: dict[Any, Mapping[str, Any]] = {}
        self.holders: dict[int, set[str]] = {}

    def look(self) -> None:
        """Ask for the list of nodes."""
        asked = time.time()
        with suppress(NoLeader, Rejected, requests.RequestException):
            members = list(self._client.items("/cluster/nodes"))
            online = frozenset(each["name"] for each in members if each["online"])
            master = next((each["name"] for each in members if each["master"]), "")
            self.listed.append(Listed(asked, time.time(), online, master))

    def remember(self) -> None:
        """Ask for the history: the cluster itself keeps only so much of it."""
        with suppress(NoLeader, Rejected, requests.RequestException):
            for entry in self._historian.items("/cluster/history"):
                self.history[entry["number"]] = entry

    def ask_consul(self) -> None:
        """Who holds the lease, and in which term, as each host's Consul has it."""
        for node in self._world.bed:
            with suppress(ConsulUnavailable, ClusterError, OSError):
                lease = self._world.clients(node).consul.view().lease
                if lease.holder and not lease.free:
                    self.holders.setdefault(lease.term, set()).add(lease.holder)


class Workload:
    """Clients that go on whatever happens, until the block ends.

    ``deep``: some write into the databases themselves. In minority mode a database does not tell them so.
    """

    def __init__(self, world: World, folder: Path, *, deep: bool = True) -> None:
        self._world, self._folder = world, folder
        self._stack = ExitStack()
        self.began = Moment.now()
        access = world.cluster.access
        self.client = Scribe(access, interval_s=0.05)
        self.pinned = [
            Scribe(world.cluster.access_to(node), interval_s=0.25, retry_s=0.25) for node in world.bed
        ]
        self.deep = [Deep(access, node, interval_s=0.1, retry_s=0.5) for node in world.bed if deep]
        self.uploader = Uploader(access, interval_s=1.5, retry_s=0.2)
        self.witness = Witness(world)

    def __enter__(self) -> Self:
        behind = self._stack.enter_context(balanced(self._world.cluster, self._folder))
        self.through_balancer = Scribe(behind, interval_s=0.15, retry_s=0.1, read_timeout_s=3.0)
        self.uploader_behind = Uploader(behind, interval_s=4.0, retry_s=0.2)
        self.readers = [Reader(access, self.direct) for access in (self._world.cluster.access, behind)]
        looking = [
            Repeated(self.witness.look, LOOK_EVERY_S),
            Repeated(self.witness.remember, HISTORY_EVERY_S),
            Repeated(self.witness.ask_consul, TERMS_EVERY_S),
        ]
        for each in (*self.writers, *self.uploaders, *self.readers, *looking):
            each.__enter__()
            self._stack.callback(each.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask no more; what was under way is answered first."""
        self._stack.close()

    @property
    def direct(self) -> list[Scribe]:
        """The writers that know the members, so that it is known who answered."""
        return [self.client, *self.pinned, *self.deep]

    @property
    def writers(self) -> list[Scribe]:
        """All who write rows."""
        return [*self.direct, self.through_balancer]

    @property
    def uploaders(self) -> list[Uploader]:
        """All who upload blueprints."""
        return [self.uploader, self.uploader_behind]

    def flows(self, within_s: float = SOON_S) -> bool:
        """Whether a write that is asked for from now on is acknowledged in time."""
        since_s = time.monotonic()
        return self.client.wait_until(lambda: self.client.journal.first_after(since_s) is not None, within_s)

    def figures(self) -> Iterator[tuple[str, Journal]]:
        """What each of them has to tell, by name."""
        yield "client with all members", self.client.journal
        for node, writer in zip(self._world.bed, self.pinned, strict=True):
            yield f"client of {node.name} alone", writer.journal
        for node, writer in zip(self._world.bed, self.deep, strict=False):
            yield f"rows into the database of {node.name}", writer.journal
        yield "client of the balancer", self.through_balancer.journal
        yield "uploader", self.uploader.journal
        yield "uploader through the balancer", self.uploader_behind.journal
