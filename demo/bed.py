"""A bed: some nodes on one machine that can be thrown away as a whole.

    with Bed(folder, ["n1", "n2", "n3"]) as bed:
        bed.start()
        bed["n1"].kill()

The demo, the cluster tests and the benchmarks all stand on this. What a bed consists of is on file below its
root, so that another process can find it, and end it, after this one is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from demo.node import Node, Settings
from demo.places import data_home, free_subnet, make_private, remove_tree, run_home
from orchestrator.clients.files import write_atomically

RECORD = "bed.json"
SPARE_ADDRESSES = 2
AT_ONCE = 2
"""How many nodes are installed or started at a time: it is work for a processor, and there may be few."""


class Bed:
    """Nodes below ``root``, on free loopback addresses. As a context manager it leaves nothing behind."""

    def __init__(
        self, root: Path, names: Iterable[str], *, settings: Settings | None = None, subnet: str | None = None
    ) -> None:
        names = list(names)
        self.root = root.resolve()
        self.home, self.run = data_home(self.root), run_home(self.root)
        self.subnet = subnet or free_subnet(self.root, len(names) + SPARE_ADDRESSES)
        self.settings = settings or {}
        self.nodes: list[Node] = []
        for name in names:
            self._new_node(name)

    @classmethod
    def load(cls, root: Path) -> Self | None:
        """The bed that was installed at ``root``, by this process or another; None when there is none."""
        try:
            record = json.loads((root / RECORD).read_text())
        except FileNotFoundError:
            return None
        bed = cls(root, (), settings=record["settings"], subnet=record["subnet"])
        # Where the data lies was decided when the bed was made, and by modes that may have changed since.
        bed.home, bed.run = Path(record["data"]), Path(record["run"])
        for name in record["names"]:
            bed._new_node(name)
        return bed

    def __enter__(self) -> Self:
        try:
            self.install()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def install(self) -> None:
        """Make every node, complete and ready to be started."""
        make_private(self.root)
        self._record()
        for folder in (self.home, self.run):
            make_private(folder)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda node: node.install(self.settings), self.nodes))

    def start(self) -> None:
        """Start every node. Raises ``ClusterError`` when one does not come up."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda node: node.start(), self.nodes))

    def add(self, name: str) -> Node:
        """One more node, installed but not started."""
        node = self._new_node(name)
        self._record()
        node.install(self.settings)
        return node

    def destroy(self) -> None:
        """Kill everything and remove the data, also of a bed that was never complete; ``root`` stays."""
        for node in self.nodes:
            node.destroy()
        remove_tree(self.run)
        if self.home != self.root:
            remove_tree(self.home)
        (self.root / RECORD).unlink(missing_ok=True)

    def _new_node(self, name: str) -> Node:
        node = Node(name, f"{self.subnet}.{len(self.nodes) + 1}", self.home, self.run)
        self.nodes.append(node)
        return node

    def _record(self) -> None:
        # Written before the first process is started: what is not on file could not be taken down.
        names = [node.name for node in self.nodes]
        folders = {"data": str(self.home), "run": str(self.run)}
        record = {"names": names, "subnet": self.subnet, **folders, "settings": self.settings}
        write_atomically(self.root / RECORD, json.dumps(record, indent=2) + "\n")
