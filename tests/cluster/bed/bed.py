"""A bed of real machines: containers with systemd on one switch, which can be thrown away as a whole.

    with Bed.made("story") as bed:
        bed["n1"].run("systemctl", "start", "something")
        bed["n1"].power()
        bed.client("curl", "https://n2")

What a bed consists of is on file before it is made, so that another process can take it down after this one
was killed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from demo.places import make_private
from orchestrator.clients.files import write_atomically
from tests.cluster.bed import cache, host, image, network
from tests.cluster.bed.cgroup import Cgroup
from tests.cluster.bed.errors import BedError
from tests.cluster.bed.network import Network
from tests.cluster.bed.node import Node
from tests.cluster.bed.running import TIMEOUT_S, run

NAME = re.compile("[a-z0-9][a-z0-9-]{0,30}")
RECORD = "bed.json"
THREE = ("n1", "n2", "n3")


class Bed:
    """The nodes of the bed of that name, whether they are up or not. ``made`` and ``load`` give one."""

    def __init__(self, name: str, base: Path, nodes: Iterable[str] = ()) -> None:
        self.name, self.folder, self.image = name, _folder_of(name), base
        self.network = Network(_system_name(name))
        self.nodes = [self._node(each) for each in nodes]

    @classmethod
    @contextmanager
    def made(cls, name: str, nodes: Iterable[str] = THREE) -> Iterator[Self]:
        """A bed whose nodes have booted; it is taken down at the end, whatever happened."""
        bed = cls.up(name, nodes)
        try:
            yield bed
        finally:
            down(name)

    @classmethod
    def up(cls, name: str, nodes: Iterable[str] = THREE) -> Self:
        """Make a bed, and wait until its nodes have booted. If that fails, nothing is left.

        Raises ``BedError``: this machine lacks something, there is a bed of that name, a node does not boot.
        """
        host.check()
        nodes = list(nodes)
        for each in nodes:
            network.number_of(each)
        bed = cls(name, image.built())
        make_private(cache.home())
        try:
            bed.folder.mkdir(parents=True)
        except FileExistsError:
            raise BedError(f"there is a bed called {name}; take it down first") from None
        try:
            bed._start(nodes)
        except BaseException:
            down(name)
            raise
        return bed

    @classmethod
    def load(cls, name: str) -> Self:
        """The bed that this process or another has made. Raises ``BedError`` when there is none."""
        try:
            record = json.loads((_folder_of(name) / RECORD).read_text())
        except FileNotFoundError:
            raise BedError(f"there is no bed called {name}; up makes one") from None
        return cls(name, Path(record["image"]), record["nodes"])

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise BedError(f"the bed {self.name} has no {name!r}; it has {', '.join(each.name for each in self)}")

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def add(self, name: str) -> Node:
        """One more node; it has booted when this returns."""
        node = self._node(name)
        self.nodes.append(node)
        self._record()
        node.start()
        return node

    def remove(self, name: str) -> None:
        """Throw a node away, with its disk and its cable. Nothing happens to the others."""
        node = self[name]
        node.remove()
        self.network.disconnect([name])
        self.nodes.remove(node)
        self._record()

    def client(
        self, *command: str, timeout_s: float = TIMEOUT_S, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine where the switch is, beside the nodes: as ``Node.run`` does."""
        group = Cgroup(f"{_system_name(self.name)}/client")
        group.make()
        called = self.network.inside(*command)
        return run(group.child(), "client", called, command, timeout_s=timeout_s, check=check, stdin=stdin)

    def one_way(self, source: str, target: str) -> None:
        """Lose every frame from one node to the other; those that come back still arrive."""
        self.loss(source, target, network.HUNDRED)

    def two_way(self, one: str, other: str) -> None:
        """Lose every frame between two nodes."""
        self.one_way(one, other)
        self.one_way(other, one)

    def loss(self, source: str, target: str, percent: int) -> None:
        """Lose so many of a hundred frames from one node to the other."""
        self.network.drop(self[source].name, self[target].name, percent)

    def heal_all(self) -> None:
        """Put every cable in again, and lose no more frames."""
        self.network.drop_nothing()
        for node in self:
            node.heal()

    def _start(self, nodes: Iterable[str]) -> None:
        self.nodes = [self._node(each) for each in nodes]
        self._record()
        self.network.make_switch()
        for node in self:
            node.begin_start()
        for node in self:
            node.wait_until_up()

    def _node(self, name: str) -> Node:
        return Node(_system_name(self.name), name, self.folder / name, self.image)

    def _record(self) -> None:
        # Written before anything is made: what is not on file could not be taken down.
        record = {"image": str(self.image), "nodes": [node.name for node in self]}
        write_atomically(self.folder / RECORD, json.dumps(record, indent=2) + "\n")


def down(name: str) -> None:
    """End and remove all of the bed of that name, complete or not. Nothing happens when there is none."""
    host.check()
    folder = _folder_of(name)
    group = Cgroup(_system_name(name))
    group.kill()
    group.remove()
    try:
        bed = Bed.load(name)
    except BedError:
        pass  # It came no further than to its folder.
    else:
        bed.network.remove(node.name for node in bed)
    host.remove_tree(folder)


def names() -> list[str]:
    """The names of all the beds of this user."""
    folder = cache.home() / "beds"
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


def _folder_of(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise BedError(f"{name!r} is no name for a bed; take small letters, digits and -")
    return cache.home() / "beds" / name


def _system_name(name: str) -> str:
    """What begins the names of all that the kernel has of a bed."""
    return f"cfy-bed-{name}"
