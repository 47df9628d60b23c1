"""A switch with a port for each node, whose cables can be pulled and whose frames can be lost.

The switch is a bridge in a network namespace of its own, and each node has a namespace too: nothing of it can
be seen from the machine's own network, and any number of beds use the same addresses.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.cluster.bed import host
from tests.cluster.bed.errors import BedError, CommandFailed
from tests.cluster.bed.host import call

SUBNET = "10.77.0"
SWITCH_ADDRESS = f"{SUBNET}.1"
MOST_NODES = 9
NODE_NAME = re.compile(rf"n([1-{MOST_NODES}])")
BRIDGE = "br0"
TABLE = "fault"
HUNDRED = 100
PLUG_TIMEOUT_S = 30.0
CLONE_NEWNET = 0x40000000
"""A network namespace, as ``setns(2)`` is asked for one."""


def number_of(node: str) -> int:
    """The number in a node's name. Raises ``BedError`` when it is none of a node."""
    if match := NODE_NAME.fullmatch(node):
        return int(match[1])
    raise BedError(f"{node!r} is no node; nodes are called n1 to n{MOST_NODES}")


def address_of(node: str) -> str:
    """A node's address, the same in every bed."""
    return f"{SUBNET}.{10 + number_of(node)}"


def hosts_file() -> str:
    """What stands in ``/etc/hosts`` of every node: also the names of those that may come later."""
    nodes = [f"n{number}" for number in range(1, MOST_NODES + 1)]
    known = {"localhost": "127.0.0.1", "client": SWITCH_ADDRESS, **{node: address_of(node) for node in nodes}}
    return "".join(f"{address} {name}\n" for name, address in known.items())


class Network:
    """The switch of the bed of that name, and the cables to its nodes."""

    def __init__(self, bed: str) -> None:
        self.switch = f"{bed}-switch"
        self._bed = bed

    def namespace_of(self, node: str) -> str:
        """The name of the network namespace that a node lives in."""
        return f"{self._bed}-{node}"

    def make_switch(self) -> None:
        """Make the switch, to which nothing is connected yet. Nothing happens when it is there."""
        if self.switch in namespaces():
            return
        call("ip", "netns", "add", self.switch)
        self._ip("link", "set", "lo", "up")
        self._ip("link", "add", BRIDGE, "type", "bridge")
        self._ip("address", "add", f"{SWITCH_ADDRESS}/24", "dev", BRIDGE)
        self._ip("link", "set", BRIDGE, "up")

    def connect(self, node: str) -> None:
        """Make a node's network, and plug it in. Nothing happens when it is there."""
        own = self.namespace_of(node)
        if own in namespaces():
            return
        call("ip", "netns", "add", own)
        peer = ("type", "veth", "peer", "name", "eth0", "netns", own)
        call("ip", "link", "add", _port(node), "netns", self.switch, *peer)
        self._ip("link", "set", _port(node), "master", BRIDGE, "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{address_of(node)}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", SWITCH_ADDRESS),
        ):
            call("ip", "-n", own, *command)

    def remove(self, nodes: Iterable[str]) -> None:
        """Remove all of it, also what was only half made."""
        self.disconnect(nodes)
        _remove(self.switch)

    def disconnect(self, nodes: Iterable[str]) -> None:
        """Remove what there is of these nodes' networks."""
        for node in nodes:
            _remove(self.namespace_of(node))

    def plug(self, node: str, *, connected: bool) -> None:
        """Pull a node's cable out of the switch, or put it in: peers hear nothing, not even a refusal."""
        self._ip("link", "set", _port(node), "up" if connected else "down")
        if connected:
            host.wait_for(lambda: self._forwards(node), PLUG_TIMEOUT_S, f"{node} is connected")

    def drop(self, source: str, target: str, percent: int = HUNDRED) -> None:
        """Lose so many of a hundred frames from one node to the other, chosen at random."""
        if not 0 < percent <= HUNDRED:
            raise BedError(f"{percent} percent of the frames cannot be lost; 1 to {HUNDRED} can")
        chance = () if percent == HUNDRED else ("numgen", "random", "mod", str(HUNDRED), "<", str(percent))
        way = ("iifname", _port(source), "oifname", _port(target))
        self._nft("add", "table", "bridge", TABLE)
        self._nft(
            *("add", "chain", "bridge", TABLE, "forward"),
            "{ type filter hook forward priority 0; policy accept; }",
        )
        self._nft("add", "rule", "bridge", TABLE, "forward", *way, *chance, "drop")

    def drop_nothing(self) -> None:
        """Lose no more frames."""
        with suppress(CommandFailed):  # There is no such table as long as nothing was to be lost.
            self._nft("delete", "table", "bridge", TABLE)

    def inside(self, *command: str) -> tuple[str, ...]:
        """A command as it has to be called to run where the switch is."""
        return ("nsenter", f"--net=/run/netns/{self.switch}", "--", *command)

    def enter(self) -> None:
        """Have the calling thread where the switch is: what it connects from here on reaches the nodes."""
        # Python itself has setns from 3.12 on.
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", self.switch).open() as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), namespace.name)

    def _forwards(self, node: str) -> bool:
        # The kernel tells the bridge, and the node, of a new connection a moment later.
        [port] = json.loads(call("ip", "-n", self.switch, "-json", "-details", "link", "show", _port(node)))
        [eth0] = json.loads(call("ip", "-n", self.namespace_of(node), "-json", "link", "show", "eth0"))
        states = port["linkinfo"]["info_slave_data"]["state"], eth0["operstate"]
        return states == ("forwarding", "UP")

    def _ip(self, *command: str) -> None:
        call("ip", "-n", self.switch, *command)

    def _nft(self, *command: str) -> None:
        call(*self.inside("nft", *command))


def namespaces() -> set[str]:
    """The names of the network namespaces of this machine."""
    return {line.split()[0] for line in call("ip", "netns", "list").splitlines()}


def _remove(namespace: str) -> None:
    if namespace in namespaces():
        call("ip", "netns", "delete", namespace)


def _port(node: str) -> str:
    return f"p{number_of(node)}"
