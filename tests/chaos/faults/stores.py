"""What happens to the stores of a host: its disk, its database, its Redis, its certificate."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta

import redis

from orchestrator.clients import processes
from orchestrator.formation import pki, renewing
from orchestrator.formation.broker import read_password
from orchestrator.model.errors import ClusterError
from tests.chaos.bed import Host
from tests.chaos.faults.catalogue import fault
from tests.chaos.world import World
from tests.cluster import checker, nemesis

HANGS_S, GOES_S = 0.3, 0.2
FULL = 1
SEGMENTS_READY = 12
TIMEOUT_S = 5.0
ENDED = timedelta(days=-1)
GARBAGE = b"\xde\xad\xbe\xef" * 2048


@fault("fill the disk of {host}", "no byte is free on its disk any more")
def disk_full(world: World, host: Host) -> Iterator[None]:
    try:
        host.disk.fill()
        _use_up_reserves(host)
        yield
    finally:
        host.disk.empty()


@fault("hang the disk of {host}", "no write to its disk comes to an end")
def disk_hangs(world: World, host: Host) -> Iterator[None]:
    host.disk.hang()
    yield
    # What it was made to wait for is done now, and may take a moment.
    host.disk.go_on()


@fault("slow the disk of {host}", "its disk stands still for 300 ms of every 500")
def disk_slow(world: World, host: Host) -> Iterator[None]:
    ended = threading.Event()

    def stutter() -> None:
        while not ended.is_set():
            host.disk.hang()
            ended.wait(HANGS_S)
            host.disk.go_on()
            ended.wait(GOES_S)

    thread = threading.Thread(target=stutter, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()
    host.disk.go_on()


@fault("crash the database of {host}", "a process of PostgreSQL dies, so all of it begins anew")
def database_crashed(world: World, host: Host) -> Iterator[None]:
    children = [each for each in nemesis.family(host, "postgresql") if "checkpointer" in each.arguments[0]]
    for each in children:
        processes.send(each, signal.SIGKILL)
    yield


@fault("spoil the database of {host}", "its control file is garbage, and its server is killed")
def database_spoilt(world: World, host: Host) -> Iterator[None]:
    control = host.config.paths.postgres_data / "global" / "pg_control"
    control.write_bytes(GARBAGE)
    with suppress(AssertionError):
        nemesis.kill(host, "postgresql")
    yield


@fault(
    "lose the database of {host}", "the host dies, and comes back with an empty data folder", silences=True
)
def database_lost(world: World, host: Host) -> Iterator[None]:
    host.kill()
    nemesis.destroy_database(host)
    yield
    host.start()


@fault("lose the disk of {host}", "the host dies, and comes back without database and files", silences=True)
def disk_lost(world: World, host: Host) -> Iterator[None]:
    host.cut()
    host.kill()
    nemesis.destroy_database(host)
    shutil.rmtree(host.config.paths.files)
    yield
    host.plug()
    host.start()


@fault(
    "let the certificates of {host} expire",
    "all of them have ended, and its services know only these; an operator renews them",
)
def certificates_ended(world: World, host: Host) -> Iterator[None]:
    clients = world.clients(host)
    pki.issue(host.config, host.name, life=ENDED)
    clients.postgres.reload()
    if consul := nemesis.find(host, "consul"):
        # To read certificates again is not to end what stands: only begun anew it has no connection left.
        processes.send(consul, signal.SIGTERM)
    yield
    renewing.renew(clients, renewing.Renewal())


@fault("fill the redis of {host}", "the host's own task queue refuses whatever is to be stored")
def redis_full(world: World, host: Host) -> Iterator[None]:
    socket = str(host.config.paths.redis_socket)
    _limit(redis.Redis(unix_socket_path=socket, socket_timeout=TIMEOUT_S), FULL)
    yield
    _limit(redis.Redis(unix_socket_path=socket, socket_timeout=TIMEOUT_S), 0)


@fault("fill the broker of {host}", "the broker of agents and workflows refuses whatever is to be stored")
def broker_full(world: World, host: Host) -> Iterator[None]:
    def broker() -> redis.Redis:
        config = host.config
        ca = str(config.paths.ssl / "ca.pem")
        return redis.Redis(
            config.host_ip, config.ports.broker, password=read_password(config),
            ssl=True, ssl_ca_certs=ca, socket_timeout=TIMEOUT_S,
        )  # fmt: skip

    _limit(broker(), FULL)
    yield
    _limit(broker(), 0)


def _use_up_reserves(host: Host) -> None:
    # PostgreSQL keeps segments of its log ready. Hours of traffic would use them; this takes a second.
    for _ in range(SEGMENTS_READY):
        with suppress(ClusterError):
            checker.query(host, "SELECT pg_logical_emit_message(false, 'chaos', 'full'), pg_switch_wal()")


def _limit(server: redis.Redis, most_bytes: int) -> None:
    # Whoever is gone, or leads no more, has no limit either: its Redis begins anew without one.
    with closing(server), suppress(redis.RedisError, OSError):
        server.config_set("maxmemory", most_bytes)
