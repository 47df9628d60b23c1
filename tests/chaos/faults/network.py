"""What happens between the hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import product

from tests.chaos.bed import Host
from tests.chaos.faults.catalogue import fault
from tests.chaos.links import HUNDRED
from tests.chaos.world import World
from tests.cluster.bed.host import call

UP_S, DOWN_S = 1.5, 1.0
SLOW = ("rate", "400kbit", "burst", "8kb", "latency", "800ms")


@fault("cut {hosts} from all", "its cable is pulled: neither members nor clients reach it", silences=True)
def cut_off(world: World, hosts: list[Host]) -> Iterator[None]:
    for host in hosts:
        host.cut()
    yield
    for host in hosts:
        host.plug()


@fault("cut {hosts} from {others}", "these cannot reach those, nor those these; clients reach all of them")
def cut_apart(world: World, hosts: list[Host], others: list[Host] | str) -> Iterator[None]:
    those = world.others(hosts) if isinstance(others, str) else others
    pairs = list(product(hosts, those))
    both = [(one.name, other.name, HUNDRED) for pair in pairs for one, other in (pair, pair[::-1])]
    with world.links.losing(both):
        yield


@fault("lose all from {host} to {others}", "what it sends to these is lost; what they send arrives")
def one_way(world: World, host: Host, others: list[Host] | str) -> Iterator[None]:
    those = world.others([host]) if isinstance(others, str) else others
    with world.links.losing((host.name, other.name, HUNDRED) for other in those):
        yield


@fault("lose {percent}% around {host}", "some of the frames between it and the other members are lost")
def lossy(world: World, percent: int, host: Host) -> Iterator[None]:
    pairs = [(host.name, other.name) for other in world.others([host])]
    with world.links.losing((*way, percent) for pair in pairs for way in (pair, pair[::-1])):
        yield


@fault("flap the link of {host}", "its cable has a loose contact: off for a second, on for a moment longer")
def flapping(world: World, host: Host) -> Iterator[None]:
    ended = threading.Event()

    def flap() -> None:
        while not ended.is_set():
            host.cut()
            ended.wait(DOWN_S)
            host.plug()
            ended.wait(UP_S)

    thread = threading.Thread(target=flap, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()
    host.plug()


@fault("slow the link of {host}", "it can send 400 kbit/s, and what is more waits up to 800 ms")
def slow_link(world: World, host: Host) -> Iterator[None]:
    space = host.network.namespace_of(host.name)
    call("tc", "-n", space, "qdisc", "add", "dev", "eth0", "root", "tbf", *SLOW)
    yield
    call("tc", "-n", space, "qdisc", "del", "dev", "eth0", "root")


@fault("kill the dns of {hosts}", "its name server does not answer any more")
def dead_dns(world: World, hosts: list[Host]) -> Iterator[None]:
    for host in hosts:
        host.ask_nobody_for_names(dead=True)
    yield
    for host in hosts:
        host.ask_nobody_for_names(dead=False)
