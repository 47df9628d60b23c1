"""Hosts with an address, a cable and a disk of their own, on one machine: managers as the demo runs them.

Not machines with systemd (``tests/cluster/bed``): a host here is there in a second, which is what a hundred
faults in half an hour need. What the product does is the same; who keeps its services is supervisor.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from demo.bed import Bed
from demo.node import Node, Settings
from tests.chaos.disk import Disk
from tests.chaos.links import Links
from tests.chaos.place import Place
from tests.cluster.bed import network
from tests.cluster.bed.network import Network

NOBODY = "nameserver 10.77.0.250\n"
"""A name server at an address that nobody has: a question is answered by nothing at all, after seconds."""


class Host(Node):
    """A node on a host of its own."""

    def __init__(self, name: str, home: Path, run: Path, net: Network) -> None:
        super().__init__(name, network.address_of(name), home, run)
        self.network = net
        self.disk = Disk(self.run / "disk", self.home / "state")
        self._resolv_conf = self.home / "resolv.conf"
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """Where its processes live."""
        if self._place is None:
            self._place = Place(self.network.namespace_of(self.name), self._resolv_conf)
        return self._place

    def install(self, settings: Settings) -> None:
        """As the demo does, on the host's own disk."""
        self.network.connect(self.name)
        for folder in (self.home, self.run):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        self._resolv_conf.write_text("")
        self.disk.make()
        self.place.call(super().install, settings)

    def start(self) -> None:
        """Start the services; nothing happens when they run."""
        self.place.call(super().start)

    def cut(self) -> None:
        """Pull the cable."""
        self.network.plug(self.name, connected=False)

    def plug(self) -> None:
        """Put the cable in."""
        self.network.plug(self.name, connected=True)

    def ask_nobody_for_names(self, *, dead: bool) -> None:
        """Whether the name server is one that does not answer."""
        self._resolv_conf.write_text(NOBODY if dead else "")

    def destroy(self) -> None:
        """Kill everything, and remove all that there is of it, also when it was never complete."""
        self.disk.go_on()
        if self.config_file.exists():
            self.kill()
        if self._place:
            self._place.close()
        self.disk.remove()
        super().destroy()


class ChaosBed(Bed):
    """Hosts on a switch of their own. There is one such bed at a time on a machine."""

    NETWORK = "cfy-chaos"

    def __init__(self, root: Path, names: list[str] | tuple[str, ...], **more: object) -> None:
        self.network = Network(self.NETWORK)
        self.links = Links(self.network)
        super().__init__(root, names, **{**more, "subnet": network.SUBNET})

    def install(self) -> None:
        """Make the switch, and every host."""
        self.network.make_switch()
        super().install()

    def destroy(self) -> None:
        """Kill everything and remove it, also what another process has left."""
        super().destroy()
        self.network.remove([f"n{number}" for number in range(1, network.MOST_NODES + 1)])

    def keep_logs(self, folder: Path) -> None:
        """Copy what the hosts have logged, in the place of what an earlier run left there."""
        shutil.rmtree(folder, ignore_errors=True)
        for node in self.nodes:
            with suppress(OSError):
                shutil.copytree(node.home / "log", folder / node.name, dirs_exist_ok=True)

    def _new_node(self, name: str) -> Node:
        node = Host(name, self.home, self.run, self.network)
        self.nodes.append(node)
        return node
