"""What happens to processes, one by one or all of a host at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

from orchestrator.clients import processes
from orchestrator.model.errors import ServicesUnavailable
from tests.chaos.bed import Host
from tests.chaos.faults.catalogue import fault
from tests.chaos.world import World
from tests.cluster import nemesis

BETWEEN_S = 4.0
LOOPS_PER_CORE = 3


@fault("kill host {host}", "all of its processes die at once; its kernel refuses connections", silences=True)
def host_killed(world: World, host: Host) -> Iterator[None]:
    host.kill()
    yield
    host.start()


@fault("power off {hosts}", "all of it is dead at once, and nobody hears a word", silences=True)
def power_lost(world: World, hosts: list[Host]) -> Iterator[None]:
    for host in hosts:
        host.cut()
        host.kill()
    yield
    for host in hosts:
        host.plug()
        host.start()


@fault("kill all but consul of {host}", "every process of the manager dies at once; Consul lives")
def manager_killed(world: World, host: Host) -> Iterator[None]:
    host.kill(include_consul=False)
    yield
    host.start()


@fault("freeze host {host}", "all of its processes stop where they stand, and later go on", silences=True)
def host_frozen(world: World, host: Host) -> Iterator[None]:
    host.freeze()
    yield
    host.thaw()


@fault("kill {program} of {host}", "the process is killed; who looks after it has to start it again")
def process_killed(world: World, program: str, host: Host) -> Iterator[None]:
    with suppress(AssertionError):  # Some run on demand; one that is not there cannot be killed.
        nemesis.kill(host, program)
    yield
    if program == "supervisord":
        # Nobody looks after it here; on a real host systemd looks after each service.
        host.start()


@fault("freeze {program} of {host}", "the process stops where it stands, with all that it has started")
def process_frozen(world: World, program: str, host: Host) -> Iterator[None]:
    stopped = nemesis.family(host, program)
    nemesis.stop(*stopped)
    yield
    nemesis.go_on(*stopped)


@fault("freeze all but the database of {host}", "the manager hangs with its Consul; its database goes on")
def manager_frozen(world: World, host: Host) -> Iterator[None]:
    database = {each.pid for each in nemesis.family(host, "postgresql")}
    others = [each for each in host.processes() if each.pid not in database]
    nemesis.stop(*others)
    yield
    nemesis.go_on(*others)


@fault("hold what {host} receives", "a replica's stream stands still, and its server knows nothing of it")
def stream_held(world: World, host: Host) -> Iterator[None]:
    receivers = [each for each in nemesis.family(host, "postgresql") if "walreceiver" in each.arguments[0]]
    nemesis.stop(*receivers)
    yield
    nemesis.go_on(*receivers)


@fault("stop {program} of {hosts}", "the service is stopped, as by an operator's mistake")
def service_stopped(world: World, program: str, hosts: list[Host]) -> Iterator[None]:
    for host in hosts:
        world.clients(host).services.stop(program)
    yield
    for host in hosts:
        with suppress(ServicesUnavailable):
            world.clients(host).services.start(program)


@fault("restart consul of {hosts}", "Consul is ended and started again, on all of these at once")
def consul_restarted(world: World, hosts: list[Host]) -> Iterator[None]:
    _end_consul(hosts)
    yield


@fault("restart consul one by one", "Consul is ended and started again on one host after the other")
def consul_rolled(world: World) -> Iterator[None]:
    for host in world.hosts("all"):
        _end_consul([host])
        time.sleep(BETWEEN_S)
    yield


@fault("busy cores", "six endless loops keep both cores busy; that is no reason for a failover")
def busy(world: World) -> Iterator[None]:
    count = LOOPS_PER_CORE * (os.cpu_count() or 1)
    context = multiprocessing.get_context("spawn")
    loops = [context.Process(target=_burn, args=(os.getpid(),), daemon=True) for _ in range(count)]
    for loop in loops:
        loop.start()
    yield
    for loop in loops:
        loop.kill()
        loop.join()


def _burn(owner: int) -> None:
    while os.getppid() == owner:
        sum(range(100_000))


def _end_consul(hosts: list[Host]) -> None:
    # Its supervisor starts it again at once.
    for host in hosts:
        if found := nemesis.find(host, "consul"):
            processes.send(found, signal.SIGTERM)
